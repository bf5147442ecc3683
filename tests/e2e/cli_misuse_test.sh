#!/usr/bin/env bash
# What a person with only --help may do wrong: each is refused at once, with the status that says whose fault it is and a
# message that says what to do. Nothing is accepted in silence.
set -euo pipefail
weir=${WEIR:?the binary}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

failures=0
# refused STATUS TEXT COMMAND...: the command ends so within 10 s, and its messages hold the text.
refused() {
  local status=$1 text=$2 got=0
  shift 2
  timeout 10 "$@" >out 2>err </dev/null || got=$?
  if [[ $got != "$status" ]] || ! grep -qF -- "$text" err; then
    echo "FAIL $*: status $got instead of $status, or it does not say: $text" >&2
    cat err >&2
    failures=$((failures + 1))
  fi
}

cat >rule.weir <<'WEIR'
create stream pay (id text not null, card text not null, amount decimal(12,2), at timestamp not null)
    event time at, unique id;
create list known of text;
create rule large on pay partition by card when amount > 100 and card not in @known suppress 1 second
    alert message '{card}';
WEIR
echo '{"id": "1", "card": "a", "amount": 900, "at": "2026-01-05T10:00:00Z"}' >pay.ndjson
sed '/create rule/,$d' rule.weir >streams_only.weir
mkdir empty directory.ndjson
: >nothing.csv
"$weir" check rule.weir >/dev/null

# Verbs and flags.
refused 3 'A subcommand is required' "$weir"
refused 3 'there is no verb `chekc` did you mean `check`?' "$weir" chekc rule.weir
refused 3 'Try weir run --help.' "$weir" run rule.weir
refused 3 'rules is required' "$weir" run --events pay.ndjson
refused 3 'Try weir gen --help.' "$weir" gen surplus
refused 3 '--shards' "$weir" run rule.weir --events pay.ndjson --shards 0
refused 3 '--until' "$weir" run rule.weir --events pay.ndjson --until tomorrow
refused 3 '--until' "$weir" run rule.weir --events pay.ndjson --until ''
refused 3 'outside the years' "$weir" run rule.weir --events pay.ndjson --until 9999-01-01T00:00:00Z
refused 3 'NAME=FILE' "$weir" run rule.weir --events pay.ndjson --list known
refused 3 'the standard input can be read only once' "$weir" run - --events -
refused 3 'the standard input can be read only once' "$weir" run rule.weir --events - --list known=-

# Files and directories.
for verb in check explain fmt test; do refused 2 'absent: No such file' "$weir" "$verb" absent; done
for verb in check fmt; do refused 2 'no .weir file there' "$weir" "$verb" empty; done
refused 2 'no .test file there' "$weir" test empty
refused 2 'no .weir file there' "$weir" rules put empty
refused 2 'no .weir file there' "$weir" rules deploy empty
refused 2 'no rule' "$weir" run empty --events pay.ndjson
refused 2 'no rule' "$weir" run streams_only.weir --events pay.ndjson
refused 2 'no rule' "$weir" explain streams_only.weir
refused 2 'absent.ndjson: No such file' "$weir" run rule.weir --events absent.ndjson
refused 2 'Is a directory' "$weir" run rule.weir --events directory.ndjson
refused 3 'the name of a file with events is empty' "$weir" run rule.weir --events ''
refused 3 'the name of a file with events is empty' "$weir" run rule.weir --events pay=
refused 3 'events are read from' "$weir" run rule.weir --events pay.txt
refused 2 'loads: no rule file declares this stream' "$weir" run rule.weir --events loads=pay.ndjson
refused 2 'declares a list `nobody`' "$weir" run rule.weir --events pay.ndjson --list nobody=pay.ndjson
refused 2 'created twice' "$weir" run rule.weir rule.weir streams_only.weir --events pay.ndjson

# Contents.
gzip -c pay.ndjson | head -c 30 >cut.ndjson.gz
refused 2 'cut off' "$weir" run rule.weir --events cut.ndjson.gz
zstd -qc pay.ndjson | head -c 20 >cut.ndjson.zst
refused 2 'cut off' "$weir" run rule.weir --events cut.ndjson.zst
(gzip -c pay.ndjson; echo garbage) >trailed.ndjson.gz
refused 2 'trailed.ndjson.gz' "$weir" run rule.weir --events trailed.ndjson.gz
refused 2 'has no header' "$weir" run rule.weir --events nothing.csv
printf 'id;card;amount;at\n1;a;900;2026-01-05T10:00:00Z\n' >semicolons.csv
refused 2 'the header names no column of stream pay' "$weir" run rule.weir --events semicolons.csv
echo '{"$watermark": "2026-01-06T00:00:00Z", "stream": "loads"}' >foreign.ndjson
refused 2 'unknown_stream' "$weir" run --strict rule.weir --events foreign.ndjson
printf "\xff\xfe\x00create rule" >noise.weir
refused 2 'is not UTF-8 here' "$weir" run noise.weir --events pay.ndjson

# The generator.
refused 3 '--events' "$weir" gen --events -1
refused 3 '--seed' "$weir" gen --seed -1 --events 1
refused 3 '--keys' "$weir" gen --keys -1 --events 1
refused 3 'the rate must be' "$weir" gen --rate nan --events 1
refused 3 'the share of fraud must be' "$weir" gen --fraud 2 --events 1
refused 3 'there are transactions' "$weir" gen --streams lodas --events 1
refused 3 'outside the years' "$weir" gen --from 9999-12-31T23:59:59Z --events 1
refused 3 'cannot write' "$weir" gen --truth "$dir" --events 1

# Output that cannot be written is no success.
for command in "run rule.weir --events pay.ndjson" "check rule.weir" "explain rule.weir" "gen --events 2"; do
  # shellcheck disable=SC2086
  refused 2 'cannot write' sh -c "exec \"\$0\" $command >/dev/full" "$weir"
done

[[ $failures == 0 ]] || exit 1
