#!/usr/bin/env bash
# A full disk under `weir serve`, first that of the event log, then that of the state: nothing hangs, intake answers 503 and /readyz says
# why, one line of the service's log each way, and work goes on by itself when there is room; nothing acknowledged is lost.
# Needs root (it mounts tmpfs), curl and bash.
set -euo pipefail
# shellcheck source=tests/e2e/serving.sh
. "$(dirname "$0")/serving.sh"
weir=${WEIR:-$(cd "$(dirname "$0")/../.." && pwd)/build/release/weir}
work=$(mktemp -d)
server=''
cleanup() {
  [[ -z $server ]] || kill -9 "$server" 2>/dev/null || true
  [[ -z $server ]] || wait "$server" 2>/dev/null || true
  umount "$work/small" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT
mkdir "$work/small"
mount -t tmpfs -o size=8m weir-disk-full "$work/small" 2>/dev/null || { echo 'skipped: cannot mount a tmpfs'; exit 77; }

serve() {
  : >"$work/serve.out"
  WEIR_LOG_ANSWER_WITHIN='1 s' "$weir" serve --listen 127.0.0.1:0 --shards 1 --rules "$work/rules.weir" "$@" \
    >"$work/serve.out" 2>>"$work/serve.err" &
  server=$!
  await 60 grep -q '^listening' "$work/serve.out" || fail 'not ready within 60 s'
  url=$(sed 's/^listening on //' "$work/serve.out")
}
# post BODY..: the status and body of one request; sent again later under the same key it counts once.
post() { curl -sS -m 20 -o "$work/answer" -w '%{http_code}' -H 'Content-Type: application/x-ndjson' --data-binary "$1" "$url/v1/streams/s/events"; }
event() { echo "{\"id\":\"$1\",\"card\":\"c\",\"at\":\"2026-01-05T10:00:00Z\",\"fill\":\"$2\"}"; }
is_ready() { [[ $(curl -sS -m 5 -o /dev/null -w '%{http_code}' "$url/readyz") == 200 ]]; }
is_refused() { [[ $(post "$(event never "")") == 503 ]]; }
lines() { grep -c "$1" "$work/serve.err" || true; }
cat >"$work/rules.weir" <<'END'
create stream s (id text not null, card text not null, at timestamp not null, fill text) event time at delay 0 seconds, unique id;
create rule each_one on s partition by card when true alert message '{card}';
END
fill=$(printf '%060000d' 0)

# fill_up NAME: posts until it is refused. The ids of what was acknowledged are in $work/acknowledged.
fill_up() {
  local i status
  : >"$work/acknowledged"
  for ((i = 0; i < 2000; ++i)); do
    status=$(post "$(event "$1$i" "$fill")") || fail "$1$i: no answer within 20 s"
    [[ $status == 202 ]] && echo "$1$i" >>"$work/acknowledged" && continue
    [[ $status == 503 ]] || fail "$1$i: $status $(cat "$work/answer")"
    grep -q '"code":"disk_full"' "$work/answer" || fail "not said why: $(cat "$work/answer")"
    return
  done
  fail "$1: the disk did not fill up"
}
# as_promised WHOSE COMMAND..: refused at once, said in every place, healed by the command that makes room, and all that was acknowledged is a duplicate now.
as_promised() {
  local whose=$1
  shift
  is_refused || fail 'taken while the disk is full'
  curl -sS "$url/readyz" >"$work/answer"
  grep -q "The disk of the $whose is full.*\"code\":\"disk_full\"" "$work/answer" || fail "/readyz does not say why: $(cat "$work/answer")"
  curl -sS -m 10 "$url/metrics" >"$work/answer"
  grep -q '^weir_intake_open 0' "$work/answer" || fail "no metric says that intake is shut: $(grep intake "$work/answer")"
  await 60 grep -q 'no events are taken until there is room' "$work/serve.err" || fail 'no line in the log'
  "$@"
  await 60 is_ready || fail 'not ready although there is room'
  await 60 grep -q 'events are taken again' "$work/serve.err" || fail 'the log does not say that it goes on'
  (($(lines 'no events are taken') == 1 && $(lines 'events are taken again') == 1)) || fail 'more than one line each way'
  local id
  for id in $(tail -n 5 "$work/acknowledged") $(head -n 5 "$work/acknowledged"); do
    [[ $(post "$(event "$id" "$fill")") == 202 ]] || fail "$id: $(cat "$work/answer")"
    grep -q '"duplicates":1' "$work/answer" || fail "$id was acknowledged and is not there"
  done
}
stop() {
  kill -TERM "$server"
  wait "$server" || fail "SIGTERM: exit status $?"
  server=''
  : >"$work/serve.err"
}
more_room() { mount -o remount,size=64m "$work/small"; }

# --- the disk of the event log
serve --data "$work/data" --log-dir "$work/small/log"
fill_up a
as_promised "event log" more_room
stop

# --- the disk of the state: its own alerts and checkpoints fill it, while the log has room
umount "$work/small"
mount -t tmpfs -o size=8m weir-disk-full "$work/small"
serve --data "$work/small/data" --log-dir "$work/log"
fill_up b
as_promised state more_room
curl -sS "$url/v1/alerts?limit=1" >"$work/answer"
grep -q '"rule":"each_one"' "$work/answer" || fail "no alerts: $(cat "$work/answer")"
stop
serve --data "$work/small/data" --log-dir "$work/log"
first=$(head -n 1 "$work/acknowledged")
[[ $(post "$(event "$first" "$fill")") == 202 ]] && grep -q '"duplicates":1' "$work/answer" || fail 'lost in the restart'
stop
echo 'a full disk: refused, said so, went on'
