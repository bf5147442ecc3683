#!/usr/bin/env bash
# Lists and tables edited while events flow: what matches changes from one event to the next, survives a kill -9 and another number of
# shards, is recorded with who did it, and `weir run` over the exported log gives the same alerts.
# Needs bash, curl and python3.
set -euo pipefail
# shellcheck source=tests/e2e/serving.sh
. "$(dirname "$0")/serving.sh"
root=${WEIR_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
weir=${WEIR:-$root/build/release/weir}
work=$(mktemp -d)
server='' feeder=''
cleanup() {
  local pid
  for pid in $feeder $server; do kill -9 "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap cleanup EXIT

serve() {
  : >"$work/serve.out"
  "$weir" serve --data "$work/data" --listen 127.0.0.1:0 --rules "$work/rules" --shards "$1" >"$work/serve.out" 2>>"$work/serve.err" &
  server=$!
  await 60 grep -q '^listening on http://127.0.0.1:' "$work/serve.out" || fail 'not ready within 60 s'
  url=$(sed 's/^listening on //' "$work/serve.out")
  export WEIR_SERVER=$url
}

mkdir "$work/rules"
cat >"$work/rules/rules.weir" <<'RULES'
create stream payments (id text, card text not null, country text, amount decimal(12,2) not null, at timestamp not null)
    event time at delay 0 seconds, idle 1 hour, unique id;
create list blocked of text;
create table customers (card text, segment text, top decimal(12,2)) key card;
create rule hit on payments partition by card when country in @blocked alert severity high message '{card} in {country}';
create rule above on payments partition by card when amount > @customers[card].top
    measures @customers[card].segment as segment alert severity low message '{card}, {segment}: {amount}';
create rule twice on payments partition by card pattern a -> b within 1 hour
    define a as country in @blocked, b as country in @blocked and amount > a.amount alert severity low message '{card}';
RULES

second=0
# pay CARD COUNTRY AMOUNT: an event, a second after the one before.
pay() {
  second=$((second + 1))
  printf '{"id":"%s","card":"%s","country":"%s","amount":%s,"at":"2026-01-05T%02d:%02d:%02dZ"}\n' "p$second" "$1" "$2" "$3" \
    $((second / 3600)) $((second / 60 % 60)) $((second % 60)) >"$work/event.ndjson"
  "$weir" events send --stream payments --strict "$work/event.ndjson" >"$work/last.out" 2>&1 ||
    fail "the event was not taken: $(cat "$work/last.out")"
}
count() { "$weir" alerts list --rule "$1" --limit 1000 --output ndjson 2>/dev/null | grep -c '"id"' || true; }
is() { (($(count "$1") == $2)); }
# alerts RULE N: so many there are, soon.
alerts() { await 60 is "$1" "$2" || fail "$1: $(count "$1") alerts, not $2"; }
# status WANTED CURL-ARGUMENTS..
status() {
  local wanted=$1 got
  shift
  got=$(curl -s -o "$work/body" -D "$work/head" -w '%{http_code}' "$@")
  [[ $got == "$wanted" ]] || fail "$* answered $got, not $wanted: $(cat "$work/body")"
}
etag() { tr -d '\r' <"$work/head" | sed -n 's/^[Ee][Tt][Aa][Gg]: //p'; }

serve 1
# --- from one event to the next
pay c1 RO 10
"$weir" lists add blocked RO --by ann@desk --comment 'wave of fraud' >/dev/null
pay c1 RO 20
alerts hit 1
"$weir" lists remove blocked RO --by ann@desk 2>/dev/null
pay c1 RO 30
status 201 -X PUT "$url/v1/lists/blocked/RO" -H 'From: bob@desk' -d '{"owner":"desk","expires":"2026-01-05T00:00:05Z"}'
tag=$(etag)
pay c1 RO 40 # second 4
pay c1 RO 50 # second 5: the entry is over
alerts hit 2
alerts twice 1
status 412 -X PUT "$url/v1/lists/blocked/RO" -H 'If-None-Match: *'
status 412 -X DELETE "$url/v1/lists/blocked/RO" -H 'If-Match: "0"'
status 200 -X PUT "$url/v1/lists/blocked/RO" -H "If-Match: $tag" -H 'From: bob@desk' -d '{"owner":"desk"}'
pay c1 RO 60
alerts hit 3

status 422 -X PUT "$url/v1/tables/customers/c2" -d '{"row":{"top":"much"}}'
status 404 -X PUT "$url/v1/tables/nobody/c2" -d '{"row":{}}'
"$weir" tables put customers c2 --row '{"segment":"vip","top":100}' --by ann@desk >/dev/null
pay c2 DE 100
pay c2 DE 101
alerts above 1
printf 'top,card,segment\n200,c2,gold\n5,c3,\n' >"$work/customers.csv"
"$weir" tables import customers "$work/customers.csv" --by ann@desk >"$work/last.out"
pay c2 DE 150
pay c3 DE 6
alerts above 2
"$weir" alerts list --rule above --output ndjson | grep -q '"segment":"vip"' || fail 'no segment in the alert'

# --- amid a flow of events: whichever event an edit comes before, the log says it
python3 - >"$work/flow.ndjson" <<'PY'
for i in range(4000):
    t = 3600 * 2 + i
    print('{"id":"f%d","card":"k%d","country":"%s","amount":%d,"at":"2026-01-05T%02d:%02d:%02dZ"}'
          % (i, i % 50, ["RO", "DE", "FR"][i % 3], i % 200, t // 3600, t // 60 % 60, t % 60))
PY
(
  split -l 100 --additional-suffix=.ndjson "$work/flow.ndjson" "$work/piece."
  for piece in "$work"/piece.*; do "$weir" events send --stream payments --strict "$piece" >/dev/null 2>&1 || exit 1; done
) &
feeder=$!
for country in FR DE FR RO DE; do
  "$weir" lists add blocked "$country" --by flow >/dev/null
  "$weir" tables put customers k1 --row "{\"top\":$((RANDOM % 100))}" --by flow >/dev/null
  "$weir" lists remove blocked "$country" --by flow 2>/dev/null
done
wait "$feeder" || fail 'the flow was not taken'
feeder=''

# --- kill -9: nothing is lost, nothing comes twice, on another number of shards
"$weir" alerts list --limit 1000 --output ndjson >"$work/before"
kill -9 "$server"
wait "$server" 2>/dev/null || true
serve 4
"$weir" alerts list --limit 1000 --output ndjson >"$work/after"
[[ $(wc -l <"$work/after") -ge $(wc -l <"$work/before") ]] || fail 'alerts were lost'
"$weir" lists edits blocked --limit 1000 --output ndjson >"$work/edits"
grep -q '"by":"bob@desk"' "$work/edits" || fail 'nobody knows who edited'
(($(grep -c '"by":"flow"' "$work/edits") == 10)) || fail 'the audit lost or repeated edits'
status 200 "$url/v1/tables/customers/c3"
grep -q '"row":{"segment":null,"top":"5.00"}' "$work/body" || fail "the row after the restart: $(cat "$work/body")"
second=20000
"$weir" lists add blocked DE --by ann@desk >/dev/null
pay c9 DE 1
speaks_of() { "$weir" alerts list --rule "$1" --output ndjson 2>/dev/null | grep -q "$2"; }
await 60 speaks_of hit c9 || fail 'no alert after the restart'

# --- the log, exported and run: the same alerts
kill -TERM "$server"      # a stop stores every alert
wait "$server" || fail 'the server did not stop well'
serve 4
cursor='' pages=0
: >"$work/served"
while ((pages++ < 50)); do
  curl -s "$url/v1/alerts?limit=1000${cursor:+&cursor=$cursor}" >"$work/page"
  cursor=$(python3 - "$work/page" "$work/served" <<'PY'
import json, sys, urllib.parse
page = json.load(open(sys.argv[1]))
with open(sys.argv[2], "a") as out:
    for item in page["items"]:
        out.write(item["id"] + " " + item["message"] + "\n")
print(urllib.parse.quote(page["next"] or ""))
PY
  )
  [[ -n $cursor ]] || break
done
kill -TERM "$server"
wait "$server" || fail 'the server did not stop well'
server=''
"$weir" log export --data "$work/data" --events-only --with-edits >"$work/log.ndjson" 2>"$work/last.err" ||
  fail "export: $(cat "$work/last.err")"
"$weir" run "$work/rules" --events "$work/log.ndjson" >"$work/run.ndjson" 2>"$work/run.err" || fail "run: $(cat "$work/run.err")"
python3 - "$work/run.ndjson" >"$work/ran" <<'PY'
import json, sys
for line in open(sys.argv[1]):
    alert = json.loads(line)
    print(alert["id"], alert["message"])
PY
sort -o "$work/served" "$work/served"
sort -o "$work/ran" "$work/ran"
(($(wc -l <"$work/ran") > 20)) || fail 'hardly an alert: the test shows nothing'
cmp "$work/served" "$work/ran" || fail "$(diff "$work/served" "$work/ran" | head -n 10)"
# Without the edits the alerts are others: it is they that make the difference.
"$weir" log export --data "$work/data" --events-only 2>/dev/null | "$weir" run "$work/rules" --events - 2>/dev/null >"$work/without"
[[ ! -s "$work/without" ]] || fail 'alerts without a list'
edits=$(grep -c '^{"\$edit"' "$work/log.ndjson")
echo "datasets: $(wc -l <"$work/ran") alerts under $edits edits, the same live, after a kill and from the log"
