#!/usr/bin/env bash
# Weir in a minute: serves the shipped rules on a free port, sends generated traffic with fraud in it through the public
# API, prints the alerts as they come, then where to look. With a terminal it goes on until Ctrl-C; without one, or
# after DEMO_SECONDS, it stops the server and exits. Exit status 1: no alert within 10 s of readiness, or the alerts are
# not those of `weir run` over the same events.
# Needs bash, curl and GNU coreutils. Environment: WEIR (the binary), WEIR_SOURCE_DIR (the root of the tree),
# DEMO_SECONDS.
set -euo pipefail

readonly ALERTS_SHOWN=20 READY_S=10 FIRST_ALERT_S=10 EVENTS=40000 LINES_PER_POST=1000
root=${WEIR_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
weir=${WEIR:-$root/build/release/weir}
card=4000999999999999

work=$(mktemp -d)
server='' listener='' feeder=''

stop() {
  local pid
  for pid in $feeder $listener $server; do kill "$pid" 2>/dev/null || true; done
  [[ -z $server ]] || wait "$server" 2>/dev/null || true
  rm -rf "$work"
}
trap stop EXIT
trap 'echo; exit 0' INT TERM

fail() {
  echo "demo: $1" >&2
  tail -n 20 "$work/serve.err" >&2 2>/dev/null || true
  exit 1
}

# The address, once the server says that it listens.
await_server() {
  local deadline=$((SECONDS + READY_S))
  while ((SECONDS < deadline)); do
    url=$(sed -n 's/^listening on \(http[^ ]*\).*/\1/p' "$work/serve.out")
    [[ -z $url ]] || return 0
    kill -0 "$server" 2>/dev/null || fail 'the server ended before it was ready'
    sleep 0.05
  done
  fail "the server was not ready within $READY_S s"
}

# Alerts arrive on descriptor 3 as server-sent events. Nothing is sent before the stream has answered.
listen() {
  exec 3< <(exec curl -sSN --dump-header "$work/stream.headers" "$url/v1/alerts/stream")
  listener=$!
  local deadline=$((SECONDS + READY_S))
  until grep -q '^HTTP/1.1 200' "$work/stream.headers" 2>/dev/null; do
    ((SECONDS < deadline)) || fail 'the alert stream did not answer'
    sleep 0.05
  done
}

# Generated traffic that ends about now; then three probes of one card, so that one match stays half finished; then a
# mark that says that the time has come so far, because some streams wait 30 s for stragglers.
make_events() {
  local last_at at
  "$weir" gen --seed 7 --events "$EVENTS" >"$work/events.ndjson" 2>"$work/gen.err" || fail "$(cat "$work/gen.err")"
  last_at=$(tail -n 1 "$work/events.ndjson" | sed 's/.*"at":"\([^"]*\)".*/\1/')
  for i in 1 2 3; do
    at=$(date -u -d "$last_at + $i second" +%FT%T.%3NZ)
    echo "{\"stream\":\"transactions\",\"event\":{\"id\":\"demo-$i\",\"card\":\"$card\",\"amount\":$i.00,\"at\":\"$at\"}}"
  done >>"$work/events.ndjson"
  echo "{\"\$watermark\":\"$at\"}" >>"$work/events.ndjson"
}

send_events() {
  export url
  # shellcheck disable=SC2016  # split's own shell expands it
  split -l "$LINES_PER_POST" --filter='curl -sS --fail-with-body --retry 20 -H "Content-Type: application/x-ndjson" \
    --data-binary @- "$url/v1/events" && echo' "$work/events.ndjson" >"$work/replies" 2>&1
}

# "data: {alert}" as a line for people.
print_alert() {
  sed -nE 's/^data: ?\{"id":"[^"]*","type":"alert","rule":"([^"]*)","version":[0-9]+,"time":"([^"]*)".*"severity":"([a-z]*)".*"message":"(([^"\\]|\\.)*)".*/\2\t\3\t\1\t\4/p' \
    <<<"$1" | awk -F '\t' '{ printf "%-24s %-8s %-26s %s\n", $1, $2, $3, $4 }'
}

alerts=0
# Waits up to $1 seconds for the next alert; returns 1 when none came. Prints it while $2 is yes.
next_alert() {
  local line deadline=$((SECONDS + $1))
  while ((SECONDS < deadline)); do
    IFS= read -r -t "$((deadline - SECONDS))" line <&3 || return 1
    line=${line%$'\r'}
    [[ $line == data:*'"type":"alert"'* ]] || continue
    alerts=$((alerts + 1))
    sed -E 's/^data: ?\{"id":"([^"]*)".*/\1/' <<<"$line" >>"$work/served.ids"
    [[ $2 != yes ]] || print_alert "$line"
    return 0
  done
  return 1
}

# The same rules over the same events from a file must give the same alerts, id by id.
compare_with_run() {
  "$weir" run "$root/rules" --events "$work/events.ndjson" >"$work/run.ndjson" 2>"$work/run.err" ||
    fail "weir run: $(cat "$work/run.err")"
  sed -E 's/^\{"id":"([^"]*)".*/\1/' "$work/run.ndjson" | sort >"$work/run.ids"
  local expected
  expected=$(wc -l <"$work/run.ids")
  while ((alerts < expected)) && next_alert 10 no; do :; done
  sort "$work/served.ids" | diff - "$work/run.ids" >"$work/ids.diff" ||
    fail "the server's $alerts alerts are not the $expected of weir run: $(head -n 5 "$work/ids.diff")"
}

summary() {
  local match="$url/v1/matches?rule=card_testing&key=$card"
  echo
  echo '+------------------------------------------------------------------------------'
  echo "| Weir serves at $url: $alerts alerts so far,"
  echo '| the same, id by id, as `weir run` gives over the events that were sent.'
  echo '|'
  echo '| A match that is half finished:'
  echo "|   curl '$match'"
  echo '| Finish it:'
  echo "|   curl '$url/v1/streams/transactions/events' -H 'Content-Type: application/json' \\"
  echo "|     -d '{\"card\": \"$card\", \"amount\": 900.00, \"country\": \"RO\", \"at\": \"'\$(date -u +%FT%TZ)'\"}'"
  echo '| The alerts of one rule:'
  echo "|   curl '$url/v1/alerts?rule=card_testing&limit=3'"
  [[ $hold == 0 ]] || echo "| Stop with Ctrl-C."
  echo '+------------------------------------------------------------------------------'
  echo
  echo "The half-finished match:"
  curl -sS --fail-with-body "$match" >"$work/match.json" || fail "no match state: $(cat "$work/match.json")"
  cat "$work/match.json"
  echo
  grep -q '"var":"probe","count":3' "$work/match.json" || fail 'the match state does not show the three probes'
}

hold=${DEMO_SECONDS:-}
if [[ -z $hold ]]; then
  hold=0
  [[ ! -t 1 ]] || hold=forever
fi

[[ -x $weir ]] || fail "there is no $weir: run make build"
touch "$work/served.ids" "$work/serve.out" "$work/serve.err"
"$weir" serve --data "$work/data" --rules "$root/rules" --listen 127.0.0.1:0 \
  >>"$work/serve.out" 2>>"$work/serve.err" &
server=$!
await_server
ready=$SECONDS
listen
make_events
send_events &
feeder=$!

next_alert "$((ready + FIRST_ALERT_S - SECONDS))" yes || fail "no alert within $FIRST_ALERT_S s of readiness"
while ((alerts < ALERTS_SHOWN)) && next_alert 10 yes; do :; done
wait "$feeder" || fail "sending failed: $(tail -n 3 "$work/replies")"
feeder=''
compare_with_run
summary

until=$((SECONDS + ${hold/forever/0}))
while [[ $hold == forever ]] || ((SECONDS < until)); do
  next_alert 1 yes || kill -0 "$server" 2>/dev/null || fail 'the server ended'
done
