#!/usr/bin/env bash
# Weir between topics: starts a Kafka broker and Weir with the shipped rules, writes generated traffic with fraud in it into four topics,
# and prints the alerts as kcat, which knows nothing of Weir, reads them from the alert topic. They must be those of `weir run` over the
# same events, id by id. Stops everything that it started; takes a minute, and gives up after DEMO_SECONDS (240).
# Needs bash, curl, kcat, python3; Java and Maven for the broker (tests/e2e/kafka/broker, whose first start fetches it). Environment: WEIR (the
# binary), WEIR_SOURCE_DIR (the root of the tree), WEIR_KAFKA_CLIENT.
set -euo pipefail

readonly ALERTS_SHOWN=20 EVENTS=40000 PARTITIONS=3 STREAMS='transactions logins transfers mfa'
root=${WEIR_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
weir=${WEIR:-$root/build/release/weir}
client=${WEIR_KAFKA_CLIENT:-$(dirname "$weir")/kafka_client}
broker=$root/tests/e2e/kafka/broker
if [[ -z ${DEMO_BOUNDED:-} ]]; then
  DEMO_BOUNDED=1 exec timeout --verbose --kill-after=30 "${DEMO_SECONDS:-240}" bash "$0"
fi
work=$(mktemp -d)
server=''
# shellcheck source=tests/e2e/serving.sh
. "$root/tests/e2e/serving.sh"

stop() {
  trap - EXIT TERM INT
  if [[ -n $server ]]; then
    kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
  fi
  "$broker" stop "$work/broker" 2>/dev/null || "$broker" kill "$work/broker" || true
  rm -rf "$work"
}
trap stop EXIT
trap 'exit 1' TERM INT

start_broker() {
  echo "A Kafka broker starts (its first start fetches it from Maven Central, 80 MB)."
  "$broker" fetch || fail 'there is no broker to be had'
  brokers=$("$broker" start "$work/broker") || fail 'the broker does not start'
  await 60 "$client" "$brokers" make alerts 1 || fail 'the broker does not answer'
  for stream in $STREAMS; do "$client" "$brokers" make "$stream" "$PARTITIONS"; done
}

start_weir() {
  for stream in $STREAMS; do
    printf '[[kafka]]\nname = "%s"\nbrokers = "%s"\nstream = "%s"\ntopics = ["%s"]\n\n' "$stream" "$brokers" "$stream" "$stream"
  done >"$work/weir.toml"
  printf '[[sinks]]\nname = "alerts"\ntype = "kafka"\nbrokers = "%s"\ntopic = "alerts"\n' "$brokers" >>"$work/weir.toml"
  "$weir" serve --config "$work/weir.toml" --data "$work/data" --rules "$root/rules" --listen 127.0.0.1:0 \
    >"$work/serve.out" 2>"$work/serve.err" &
  server=$!
  await 30 grep -q '^listening on ' "$work/serve.out" || fail 'Weir is not ready within 30 s'
  url=$(sed -n 's/^listening on \(http[^ ]*\).*/\1/p' "$work/serve.out")
  echo "Weir serves at $url and reads the topics $STREAMS of $brokers."
}

# The events of each stream into its topic, as another client would: kcat spreads them over the partitions.
write_events() {
  local -a only=()
  for stream in $STREAMS; do only+=(--streams "$stream"); done
  "$weir" gen --seed 7 --events "$EVENTS" "${only[@]}" >"$work/events.ndjson" || fail 'no events'
  for stream in $STREAMS; do
    sed -n "s/^{\"stream\":\"$stream\",\"event\":\(.*\)}\$/\1/p" "$work/events.ndjson" >"$work/$stream"
    kcat -P -b "$brokers" -t "$stream" -X sticky.partitioning.linger.ms=0 -l "$work/$stream" || fail "kcat does not write to $stream"
  done
}

metric() { curl -fsS "$url/metrics" | awk -v name="$1" 'index($1, name) == 1 {sum += $2} END {printf "%d\n", sum}'; }
is_read() { (($(metric weir_kafka_records_total) == $(wc -l <"$work/events.ndjson"))); }

# What the alert topic has, oldest first, each id once.
read_alerts() { kcat -C -e -q -b "$brokers" -t alerts -o beginning -f '%s\n' >"$work/alerts.ndjson"; }
ids_of() { sed -E 's/^\{"id":"([^"]*)".*/\1/' "$1" | sort -u; }
is_complete() {
  read_alerts
  ids_of "$work/alerts.ndjson" >"$work/sent.ids"
  cmp -s "$work/sent.ids" "$work/run.ids"
}

print_alerts() {
  python3 - "$work/alerts.ndjson" "$ALERTS_SHOWN" <<'PYTHON'
import json, sys
for line in open(sys.argv[1]).readlines()[:int(sys.argv[2])]:
    alert = json.loads(line)
    print(f"{alert['time']:<28} {alert['severity']:<8} {alert['rule']:<26} {alert['message']}")
PYTHON
}

for needed in kcat curl python3 "$weir" "$client"; do command -v "$needed" >/dev/null || fail "there is no $needed: run make demo-kafka"; done
start_broker
start_weir
write_events
await 60 is_read || fail "Weir has read $(metric weir_kafka_records_total) of the records"
# Some streams wait 30 s for stragglers; a mark says that the time has come so far, in both.
at=$(date -u -d '+1 hour' +%FT%TZ)
echo "{\"\$watermark\":\"$at\"}" | tee -a "$work/events.ndjson" |
  curl -fsS -o "$work/answer" -H 'Content-Type: application/x-ndjson' --data-binary @- "$url/v1/events" || fail 'no watermark'
"$weir" run "$root/rules" --events "$work/events.ndjson" >"$work/run.ndjson" 2>"$work/run.err" || fail "weir run: $(cat "$work/run.err")"
ids_of "$work/run.ndjson" >"$work/run.ids"
await 60 is_complete || fail "$(wc -l <"$work/sent.ids") alerts in the topic are not the $(wc -l <"$work/run.ids") of weir run"
(($(wc -l <"$work/run.ids") > 0)) || fail 'no alerts'
echo
echo "The first of $(wc -l <"$work/run.ids") alerts, as kcat reads them from the topic \`alerts\`:"
print_alerts
echo
curl -fsS "$url/metrics" | grep -E '^weir_kafka_(position_offset|lag_records)' || fail 'no lag'
echo
echo "They are those of \`weir run\` over the same $EVENTS events, id by id. Weir and the broker stop now."
