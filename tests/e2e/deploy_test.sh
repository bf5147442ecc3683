#!/usr/bin/env bash
# deploy/: the chart renders to what Kubernetes and Weir need, its schema refuses what it must, the compose file and its weir.toml mean the
# same names; and Weir itself takes each configuration, and rules as a ConfigMap mounts them. No cluster and no container is started;
# helm is asked too where there is one. Needs python3 with yaml. Skipped (77) without it.
set -euo pipefail
root=${WEIR_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
weir=${WEIR:-$root/build/release/weir}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -c 'import tomllib, yaml' 2>/dev/null || { echo 'skipped: there is no python3 with yaml'; exit 77; }
PYTHONDONTWRITEBYTECODE=1 python3 "$root/tests/e2e/deploy/check.py" "$root" "$work"
export KAFKA_PASSWORD=secret
check() { "$weir" check "$@" >"$work/said" 2>&1 || { cat "$work/said" >&2; exit 1; }; }
check --config "$work/desk-weir/weir.toml" "$work/desk-weir/rules"
sed 's#"/usr/share/weir/rules"#"'"$root/rules"'"#' "$work/demo-weir/weir.toml" >"$work/demo.toml"
check --config "$work/demo.toml" "$root/rules"
check --config "$root/deploy/compose/weir.toml" "$root/rules"
for name in $(sed -n 's/^stream = "\(.*\)"/\1/p' "$root/deploy/compose/weir.toml"); do
  grep -rq "^create stream $name" "$root/rules" || { echo "FAILED: no rule reads $name" >&2; exit 1; }
done
