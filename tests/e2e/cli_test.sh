#!/usr/bin/env bash
# The verbs that need no server: exit statuses, forms of input and output, and that alerts depend on rules and events alone.
set -euo pipefail
weir=${WEIR:?the binary}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

fail() { echo "cli_test: $*" >&2; exit 1; }
# status EXPECTED COMMAND...: runs it, keeps what it prints in out and err.
status() {
  local expected=$1 got=0
  shift
  "$@" >out 2>err </dev/null || got=$?
  [ "$got" = "$expected" ] || { cat out err >&2; fail "$* gave $got, not $expected"; }
}
says() { grep -q -- "$2" "$1" || { cat "$1" >&2; fail "$1 does not say: $2"; }; }

cat >rule.weir <<'WEIR'
create stream pay (id text, card text not null, amount decimal(12,2), at timestamp not null) event time at, unique id;
create list known of text;
create rule burst on pay partition by card
    pattern small{2,} -> large within 10 minutes
    define small as amount < 5, large as amount > 100 and card not in @known
    measures count(small) as n
    suppress 1 hour
    alert severity high message '{card}: {n} small ones, then {amount}';
create rule quiet on pay partition by card
    pattern any_one -> not any_one for 1 hour
    define any_one as true
    alert severity low message '{card} is quiet';
WEIR
cat >pay.ndjson <<'EVENTS'
{"id": "1", "card": "a", "amount": 1, "at": "2026-01-05T10:00:00Z"}
{"id": "2", "card": "a", "amount": "2.50", "at": "2026-01-05T10:01:00Z"}
{"id": "3", "card": "b", "amount": 1, "at": "2026-01-05T10:01:30Z"}
{"id": "4", "card": "a", "amount": 900.01, "at": "2026-01-05T10:02:00Z"}
EVENTS
printf 'id,card,amount,at\n1,a,1,2026-01-05T10:00:00Z\n2,a,2.50,2026-01-05T10:01:00Z\n3,b,1,2026-01-05T10:01:30Z\n4,a,900.01,2026-01-05T10:02:00Z\n' >pay.csv

# Exit statuses.
status 0 "$weir" --version
says out '^weir [0-9]'
for verb in run test check fmt explain; do
  status 0 "$weir" "$verb" --help
  says out 'Example:'
done
status 3 "$weir"
status 3 "$weir" nosuch
status 3 "$weir" run rule.weir --events pay.parquet
status 2 "$weir" run rule.weir --events absent.ndjson
status 2 "$weir" check absent.weir
status 0 "$weir" check rule.weir
sed 's/amount < 5/amout < 5/' rule.weir >bad.weir
status 2 "$weir" check bad.weir
says out 'error\[E0103\]'
says out 'amount'
status 2 "$weir" check --output json bad.weir
says out '"code": "E0103"'
status 2 "$weir" run bad.weir --events pay.ndjson

# The same events in another form, the same alerts.
status 0 "$weir" run rule.weir --events pay.ndjson
[ "$(wc -l <out)" = 1 ] || fail "one alert is due"
says out '"message":"a: 2 small ones, then 900.01"'
says err '^4 events, 0 rejected, 0 late, 1 alerts'
cp out expected
status 0 "$weir" run rule.weir --events pay=pay.csv
cmp out expected || fail "CSV gives other alerts"
gzip -k pay.ndjson
status 0 "$weir" run rule.weir --events pay.ndjson.gz
cmp out expected || fail "gzip gives other alerts"
"$weir" run rule.weir --events - <pay.ndjson 2>err >out
cmp out expected || fail "the standard input gives other alerts"
head -2 pay.ndjson >first.ndjson
tail -2 pay.ndjson >second.ndjson
status 0 "$weir" run rule.weir --events pay=second.ndjson --events pay=first.ndjson
cmp out expected || fail "merged files give other alerts"

# Time moves with the data, with --until and with --close.
status 0 "$weir" run rule.weir --events pay.ndjson --close
[ "$(wc -l <out)" = 3 ] || fail "two deadlines are due when the input is closed"
status 0 "$weir" run rule.weir --events pay.ndjson --until 2026-01-05T11:01:30Z
[ "$(grep -c quiet out)" = 1 ] || fail "one deadline is due until then"
status 0 "$weir" run rule.weir --events pay.ndjson --until 2026-01-05T10:01:59Z
[ ! -s out ] || fail "the last event is later than --until"
status 3 "$weir" run rule.weir --events pay.ndjson --until yesterday
(cat pay.ndjson; echo '{"$watermark": "2026-01-05T11:01:30Z"}') >marked.ndjson
status 0 "$weir" run rule.weir --events marked.ndjson
[ "$(grep -c quiet out)" = 1 ] || fail "one deadline is due at the watermark"

# Lists, rejected and late events.
printf '# cards\na\n' >known.txt
status 0 "$weir" run rule.weir --events pay.ndjson --list known=known.txt
[ ! -s out ] || fail "a is known"
status 2 "$weir" run rule.weir --events pay.ndjson --list nobody=known.txt
(cat pay.ndjson; echo '{"card": 5}'; echo '{"card": "a", "at": "2026-01-05T10:00:00Z"}') >dirty.ndjson
status 0 "$weir" run rule.weir --events dirty.ndjson
says err '5 events, 1 rejected, 1 late, 1 alerts'
says err 'record 4: wrong_type in card'
status 2 "$weir" run --strict rule.weir --events dirty.ndjson

# A `unique` value counts once within its window, whatever else the event says; null is never a duplicate.
cat >twice.ndjson <<'EVENTS'
{"id": "1", "card": "a", "amount": 1, "at": "2026-01-05T10:00:00Z"}
{"id": "1", "card": "a", "amount": 2, "at": "2026-01-05T10:00:01Z"}
{"id": null, "card": "b", "amount": 1, "at": "2026-01-05T10:00:02Z"}
{"id": null, "card": "b", "amount": 1, "at": "2026-01-05T10:00:02Z"}
{"id": "4", "card": "a", "amount": 900, "at": "2026-01-05T10:01:00Z"}
{"id": "5", "card": "b", "amount": 900, "at": "2026-01-05T10:01:00Z"}
{"id": "1", "card": "a", "amount": 1, "at": "2026-01-05T10:59:59Z"}
{"id": "1", "card": "a", "amount": 1, "at": "2026-01-05T11:01:00Z"}
EVENTS
status 0 "$weir" run rule.weir --events twice.ndjson
says err '^6 events, 0 rejected, 0 late'
says err '^2 events left out as duplicates'
[ "$(grep -c burst out)" = 1 ] || fail "a repeated id made a second small payment"

# The alerts depend on rules and events, not on shards and batches.
"$weir" gen --seed 5 --events 20000 2>err >traffic.ndjson
status 0 "$weir" run "$WEIR_SOURCE_DIR/rules" --events traffic.ndjson --close
cp out expected
[ "$(wc -l <expected)" -gt 20 ] || fail "generated traffic gives hardly an alert"
for flags in '--shards 4' '--batch 1' '--shards 7 --batch 13'; do
  # shellcheck disable=SC2086
  status 0 "$weir" run "$WEIR_SOURCE_DIR/rules" --events traffic.ndjson --close $flags
  cmp out expected || fail "$flags gives other alerts"
done

# fmt: a fixed point, in place or checked.
status 0 "$weir" fmt rule.weir
cp out formatted.weir
status 0 "$weir" fmt --check formatted.weir
status 1 "$weir" fmt --check rule.weir
says out rule.weir
status 0 "$weir" fmt -w rule.weir
cmp rule.weir formatted.weir || fail "fmt -w writes something else than fmt prints"
status 2 "$weir" fmt -w bad_text.weir
status 0 "$weir" run rule.weir --events pay.ndjson

# explain and test.
status 0 "$weir" explain rule.weir
says out 'state 0'
status 0 "$weir" explain --rule burst --output dot rule.weir
says out '^digraph'
status 2 "$weir" explain --rule nosuch rule.weir
cat >one.test <<'TEST'
rule rule.weir
events
+0s pay {"card": "a", "amount": 1}
+1s pay {"card": "a", "amount": 1}
+2s pay {"card": "a", "amount": 101}
----
none
TEST
status 1 "$weir" test one.test
says err '^+[+]2s burst card=a n=2 \[small +0s, small +1s, large +2s\]'
says out '0 passed, 1 failed'
"$weir" test --rewrite one.test >out 2>err || true
status 0 "$weir" test one.test
says out '1 passed, 0 failed'
status 3 "$weir" test --modes sideways one.test

# bench peers: every match is counted, beyond the limits of a service too; what is not timed is read all the same.
mkdir peers
cat >peers/rules.weir <<'WEIR'
create stream tick (id int not null, type text not null, at timestamp not null) event time at delay 0 seconds;
create rule pairs on tick
    pattern a ->> b within 10 seconds
    define a as type = 'a', b as type = 'b'
    after match no skip
    alert severity low;
WEIR
# 1,201 times a within 1.2 s, of which a b at 10.5 s sees the last 700.
{ echo id,type,at; seq 0 1200 | awk '{printf "%d,a,%.0f\n", $1, 1767225600000 + $1}'; echo 1201,b,1767225602000; echo 1202,b,1767225610500; } >peers/events.csv
echo '{"untimed": 1000}' >peers/meta.json
for batch in 1024 7; do
  status 0 "$weir" bench peers --workload pairs --data peers --seconds 0 --batch $batch
  says out '"engine":"weir","workload":"pairs","events":1203,"timed":203,"matches":1901,"ns_per_event":'
done
echo '{}' >peers/meta.json
status 2 "$weir" bench peers --workload pairs --data peers
says err 'meta.json: there is no member "untimed"'
echo '{"untimed": 1203}' >peers/meta.json
status 2 "$weir" bench peers --workload pairs --data peers
says err '1203 events, of which 1203 are not to be timed'
echo 1203,b,1767225600000 >>peers/events.csv
status 2 "$weir" bench peers --workload pairs --data peers
says err 'events.csv, record 1203: earlier than the one before'
sed -i '$d' peers/events.csv
echo 1203,b,yesterday >>peers/events.csv
status 2 "$weir" bench peers --workload pairs --data peers
says err 'events.csv, record 1203: '
status 3 "$weir" bench peers --workload pairs

# bench --plot: a small SVG of each question; a directory that cannot be one is said before anything is measured.
status 0 "$weir" bench --help
says out '--plot'
status 0 "$weir" bench --plot plots/new --events 1024 --most 1 --seconds 0
for name in rules keys window shards; do
  says out "wrote plots/new/$name.svg"
  grep -q "</svg>" plots/new/$name.svg || fail "plots/new/$name.svg is no whole SVG"
  [ "$(wc -c <plots/new/$name.svg)" -lt 30000 ] || fail "plots/new/$name.svg is large"
done
touch plots/file
status 2 "$weir" bench --plot plots/file --events 1024 --most 1 --seconds 0
says err 'cannot make the directory plots/file'
status 3 "$weir" bench --events 2048
status 3 "$weir" bench --plot plots/new --end-to-end
status 3 "$weir" bench --plot plots/new --events 1
echo "cli_test: fine"
