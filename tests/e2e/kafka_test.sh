#!/usr/bin/env bash
# Events in from a real Kafka broker, alerts out to it: the alerts that an independent client reads from their topic are those of `weir run`
# over the same events, though Weir and the broker are killed midway and partitions are read in any order; and what a topic has lost is
# said, never passed over. Skipped (77) where no broker can be started. Needs Java, Maven and its repository (or a filled cache), python3.
set -euo pipefail
# shellcheck source=tests/e2e/serving.sh
. "$(dirname "$0")/serving.sh"
root=${WEIR_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
weir=${WEIR:-$root/build/release/weir}
client=${WEIR_KAFKA_CLIENT:-$(dirname "$weir")/kafka_client}
broker=$root/tests/e2e/kafka/broker
partitions=3
streams='transactions logins transfers mfa'
work=$(mktemp -d)
server=''
cleanup() {
  [[ -z $server ]] || kill -9 "$server" 2>/dev/null || true
  "$broker" kill "$work/broker" || true
  rm -rf "$work"
}
trap cleanup EXIT

skip() { echo "skipped: $1"; exit 77; }
timeout 40 "$broker" fetch 2>"$work/why" || skip "$(cat "$work/why")"
brokers=$("$broker" start "$work/broker" 2>"$work/why") || skip "$(cat "$work/why")"
kafka() { "$client" "$brokers" "$@"; }
await 60 kafka make ready 1 || skip 'the broker does not answer'

# --- the events, cut in two halves of partitioned topics, and what `weir run` makes of them
"$weir" gen --seed 7 --events 20000 --from 2026-01-05T00:00:00Z --fraud 0.02 |
  grep -E "^\{\"stream\":\"(${streams// /|})\"" >"$work/events.ndjson"
"$weir" run "$root/rules" --events "$work/events.ndjson" --close >"$work/expected" 2>"$work/run.err"
grep -q ' 0 rejected, 0 late' "$work/run.err" || fail "weir run: $(cat "$work/run.err")"
python3 - "$work" "$partitions" <<'EOF'
import json, random, sys
work, partitions = sys.argv[1], int(sys.argv[2])
lines, place, out = open(work + "/events.ndjson").readlines(), random.Random(7), {}
for i, line in enumerate(lines):
    record = json.loads(line)
    name = f"{work}/{record['stream']}.{'first' if i < len(lines) // 2 else 'second'}"
    event = line[line.index('"event":') + len('"event":'):].rstrip()[:-1]
    if name not in out:
        out[name] = open(name, "w")
    out[name].write(f"{place.randrange(partitions)}\t{event}\n")
    if i % 1000 == 0:
        out[name].write(f"{place.randrange(partitions)}\tno event at all\n")
EOF
produce() { for stream in $streams; do kafka produce "$stream" <"$work/$stream.$1"; done; }
for stream in $streams; do kafka make "$stream" $partitions; done
kafka make alerts $partitions

{
  for stream in $streams; do
    printf '[[kafka]]\nname = "bank"\nbrokers = "%s"\nstream = "%s"\ntopics = ["%s"]\n' "$brokers" "$stream" "$stream" | sed "s/bank/bank-$stream/"
  done
  printf '[[sinks]]\nname = "alerts"\ntype = "kafka"\nbrokers = "%s"\ntopic = "alerts"\n' "$brokers"
} >"$work/weir.toml"

serve() {
  : >"$work/serve.out"
  "$weir" serve --config "${1:-$work/weir.toml}" --data "${2:-$work/data}" --listen 127.0.0.1:0 --rules "$root/rules" \
    >"$work/serve.out" 2>>"$work/serve.err" &
  server=$!
  await 30 grep -q '^listening on http://127.0.0.1:' "$work/serve.out" || fail 'not ready within 30 s'
  url=$(sed 's/^listening on //' "$work/serve.out")
}
metric() { curl -fsS "$url/metrics" | awk -v name="$1" 'index($1, name) == 1 {sum += $2} END {printf "%d\n", sum}'; }
at_least() { (($(metric "$1") >= $2)); }
records() { cat "$work"/*."$1" | wc -l; }
is_read() { at_least weir_kafka_reading $((4 * partitions)) && (($(metric weir_kafka_lag_records) == 0)); }

# --- killed midway, with the broker killed as well
serve
await 60 at_least weir_kafka_reading $((4 * partitions)) || fail 'not every partition is read'
produce first
await 60 at_least weir_kafka_records_total $(($(records first) / 4)) || fail 'the first half is not read'
produce second &
kill -9 "$server"
wait "$!" || fail 'the second half is not written'
serve
"$broker" kill "$work/broker"
"$broker" start "$work/broker" >"$work/again"
[[ $(cat "$work/again") == "$brokers" ]] || fail 'the broker has another address'
await 30 is_read || fail "not all is read: lag $(metric weir_kafka_lag_records), reading $(metric weir_kafka_reading)"
echo '{"$watermark": "2100-01-01T00:00:00Z"}' | curl -fsS -o "$work/answer" -H 'content-type: application/x-ndjson' --data-binary @- "$url/v1/events"

# --- what the topic has
cat >"$work/compare.py" <<'EOF'
import json, sys
expected = {(one := json.loads(line))["id"]: one for line in open(sys.argv[1])}
sent, keys, times = {}, {}, {}
for line in open(sys.argv[2]):
    partition, key, headers, value = line.rstrip("\n").split("\t", 3)
    alert = json.loads(value)
    wanted = f"weir-alert-id={alert['id']} weir-rule={alert['rule']} weir-version={alert['version']} content-type=application/json"
    values = list(alert["key"].values())
    assert headers == wanted, headers
    assert key == (str(values[0]) if len(values) == 1 else json.dumps(values, separators=(",", ":")) if values else ""), key
    assert keys.setdefault(key, partition) == partition or not key, f"key {key} is in two partitions"
    assert sent.setdefault(alert["id"], value) == value, f"{alert['id']} came with another content"
missing, surplus = expected.keys() - sent.keys(), sent.keys() - expected.keys()
differ = [id for id in sent.keys() & expected.keys() if json.loads(sent[id]) != expected[id]]
print(f"{len(sent)} alerts, {len(missing)} missing, {len(surplus)} surplus, {len(differ)} differ")
for id in list(differ)[:2]: print(sent[id], "\n  instead of", json.dumps(expected[id]))
sys.exit(1 if missing or surplus or differ else 0)
EOF
is_equal() { kafka consume alerts >"$work/sent" && python3 "$work/compare.py" "$work/expected" "$work/sent" >"$work/compared" 2>&1; }
await 60 is_equal || fail "$(cat "$work/compared")"
(($(wc -l <"$work/expected") > 100)) || fail 'too few alerts to say anything'
curl -fsS "$url/v1/rejected?code=bad_json&limit=1" | grep -qE '\(kafka:bank-[a-z]+/[a-z]+/[0-9], offset [0-9]+\)' ||
  fail 'rejected records do not say where they stood'
curl -fsS "$url/v1/streams/transfers" | grep -qE '"state":"(reading|idle)","next":([0-9]+),"end":\2,"lag_records":0,"newest":"2026-' ||
  fail "transfers: $(curl -fsS "$url/v1/streams/transfers")"
all=$(($(records first) + $(records second)))
(($(metric weir_kafka_position_offset) == all && $(metric weir_kafka_end_offset) == all)) ||
  fail "positions $(metric weir_kafka_position_offset), ends $(metric weir_kafka_end_offset), records $all"
(($(metric weir_kafka_state) == 4 * partitions && $(metric weir_kafka_error) == 0)) || fail 'not one state a partition, or an error'
kill "$server" && wait "$server" || fail 'it does not stop'
server=''

# --- what is lost is said: records that retention took, and a topic that was made again
echo "0	{}" | kafka produce mfa
kafka cut mfa 0 $(($(cut -f1 "$work"/mfa.{first,second} | grep -c '^0') + 1))
kafka delete logins
await 60 kafka make logins $partitions || fail 'the topic cannot be made again'
serve
says() { curl -fsS "$url/v1/streams/$1" | grep -q "\"state\":\"stopped\",\"code\":\"$2\""; }
await 60 says mfa retention_passed || fail "mfa: $(curl -fsS "$url/v1/streams/mfa")"
await 60 says logins topic_recreated || fail "logins: $(curl -fsS "$url/v1/streams/logins")"
at_least 'weir_kafka_error{kafka="bank-logins",topic="logins",partition="0",code="topic_recreated"}' 1 || fail 'no error in /metrics'
at_least 'weir_kafka_state{kafka="bank-mfa",topic="mfa",partition="0",state="stopped"}' 1 || fail 'no state in /metrics'
kill "$server" && wait "$server" || fail 'it does not stop'
sed -i 's/^stream = "mfa"/on_loss = "skip"\n&/' "$work/weir.toml"
serve
await 60 at_least 'weir_kafka_skipped_total{kafka="bank-mfa"' 1 || fail "mfa: $(curl -fsS "$url/v1/streams/mfa")"
kill "$server" && wait "$server" || fail 'it does not stop'
server=''

# --- what measures, measures: whatever the figures, every event that had to alert did
"$weir" bench kafka --brokers "$brokers" --events 20000 --rate 1000 --seconds 1 --output json --directory "$work" >"$work/bench" 2>&1 ||
  fail "weir bench kafka: $(cat "$work/bench")"
python3 - "$work/bench" <<'EOF' || fail "weir bench kafka: $(cat "$work/bench")"
import json, sys
figure = json.load(open(sys.argv[1]))
assert figure["signals"] == figure["produce_to_alert"]["samples"] > 50, "signals"
assert figure["events"] == 20000, "events"
assert all(figure[name]["events_per_s"] > 0 for name in ("bare_before", "weir", "bare_after")), "rates"
EOF
echo "$(cat "$work/compared"); what was lost is said"
