#!/usr/bin/env bash
# What somebody with a bare Debian 12 sees: a fresh bookworm of debootstrap's minbase, in it a clone of HEAD and nothing
# else; then the one `apt-get install` of the README, `make demo` and `make test`.
# Usage, as root: tests/e2e/chroot.sh [REPOSITORY]   (default: the tree of this script; uncommitted changes stay outside)
# Environment: DEMO_SECONDS (5), JOBS (all cores), TARGETS ("demo test"), KEEP=1 keeps the directory.
# Needs debootstrap, git, the network. Takes what apt knows of mirrors and proxies from this machine. Exit status 0: both
# targets passed and left the clone as it was.
set -euo pipefail

repository=$(realpath "${1:-$(dirname "$0")/../..}")
[[ $(id -u) == 0 ]] || { echo 'chroot: needs root' >&2; exit 1; }
# Everything mounted in here goes with this mount namespace.
[[ ${IN_NAMESPACE:-} == yes ]] || IN_NAMESPACE=yes exec unshare --mount "$0" "$repository"

work=$(mktemp -d /var/tmp/weir-chroot.XXXXXX)
root=$work/root
clean_up() {
  local mounted
  for mounted in proc dev/shm dev/pts dev; do
    if mountpoint -q "$root/$mounted"; then umount -l "$root/$mounted"; fi
  done
  [[ ${KEEP:-} == 1 ]] || rm -rf --one-file-system "$work"
}
trap clean_up EXIT

step() { printf '\n== %s (%d s)\n' "$1" "$SECONDS"; }

inside() {
  env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM=dumb DEMO_SECONDS="${DEMO_SECONDS:-5}" \
    JOBS="${JOBS:-$(nproc)}" http_proxy="${http_proxy:-}" https_proxy="${https_proxy:-}" \
    chroot "$root" /bin/sh -c "cd /opt/weir && $1"
}

# The mirror that this machine uses for Debian itself.
mirror() {
  local found
  found=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
    sed -nE 's/^URIs: *([^ ]*\/debian\/?)$/\1/p; s/^deb (\[[^]]*\] )?([^ ]*\/debian\/?) bookworm .*/\2/p' | head -n 1)
  echo "${found:-http://deb.debian.org/debian}"
}

step "debootstrap from $(mirror)"
debootstrap --variant=minbase bookworm "$root" "$(mirror)" >"$work/debootstrap.log" 2>&1 ||
  { tail -n 20 "$work/debootstrap.log"; exit 1; }
echo "deb $(mirror) bookworm main" >"$root/etc/apt/sources.list"
apt-config dump | grep -iE '^Acquire::https?::proxy' >"$root/etc/apt/apt.conf.d/90proxy" || true
cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755 dev "$root/dev"
for device in null zero full random urandom tty; do
  cp -a "/dev/$device" "$root/dev/"
done
mkdir "$root/dev/shm" "$root/dev/pts"
mount -t tmpfs shm "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
ln -s /proc/self/fd "$root/dev/fd"
ln -s pts/ptmx "$root/dev/ptmx"

git clone -q --no-local "$repository" "$root/opt/weir"
install=$(grep -o 'apt-get install -y [a-z0-9 -]*' "$root/opt/weir/README.md" | head -n 1)
[[ -n $install ]] || { echo 'chroot: the README does not say what to install' >&2; exit 1; }
step "clone of $(git -C "$root/opt/weir" log -1 --format='%h %s'); $install"
inside "apt-get update && $install" >"$work/install.log" 2>&1 || { tail -n 20 "$work/install.log"; exit 1; }

status=0
for target in ${TARGETS:-demo test}; do
  step "make $target"
  if inside "make $target </dev/null" >"$work/$target.log" 2>&1; then
    verdict=passed
  else
    verdict=FAILED status=1
  fi
  grep -vE '^\[[0-9]+/[0-9]+\]|^-- ' "$work/$target.log" | tail -n 60
  step "make $target: $verdict"
done
changes=$(git -C "$root/opt/weir" status --short)
if [[ -n $changes ]]; then
  echo "the clone was changed: $changes"
  status=1
fi
exit "$status"
