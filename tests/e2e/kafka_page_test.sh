#!/usr/bin/env bash
# docs/kafka.md: its configuration is taken, its tables have every setting, and every metric and state of a server that waits for a broker
# which does not answer. Its rules are run by `weir test docs`. No broker.
set -euo pipefail
# shellcheck source=tests/e2e/serving.sh
. "$(dirname "$0")/serving.sh"
root=${WEIR_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
weir=${WEIR:-$root/build/release/weir}
page=$root/docs/kafka.md
work=$(mktemp -d)
server=''
cleanup() {
  [[ -z $server ]] || kill -9 "$server" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

# fence WORD: what stands in the page's fences of that kind.
fence() { awk -v open="^\`\`\`$1\$" '/^```$/ {inside = 0} inside {print} $0 ~ open {inside = 1}' "$page"; }
has_row() { grep -qE "^\| (\`[a-z_]+\`, )*\`$1\`" "$page" || fail "docs/kafka.md has no row of \`$1\`"; }

mkdir "$work/rules"
fence weir >"$work/rules/stream.weir"
fence weir-test | sed -n '/^rule <<$/,/^>>$/{//!p}' >"$work/rules/rule.weir"
fence toml >"$work/weir.toml"
echo secret >"$work/kafka.password"
(cd "$work" && "$weir" check --config weir.toml rules) >"$work/said" 2>&1 || fail "the page's configuration: $(cat "$work/said")"

keys=$(sed -n '/kKeys = {/,/};/p' "$root/service/config_values.cc" | grep -o '"[a-z_]*"' | tr -d '"')
(($(wc -w <<<"$keys") > 8)) || fail 'no keys found'
for key in $keys; do [[ $key == topic ]] || has_row "$key"; done

# A broker that is not there, without what asks for TLS.
sed -e 's/^brokers = .*/brokers = "127.0.0.1:1"/' -e '/^properties/d' -e '/^password_file/d' "$work/weir.toml" >"$work/alone.toml"
(cd "$work" && exec "$weir" serve --config alone.toml --listen 127.0.0.1:0 --log-level error) >"$work/serve.out" 2>"$work/serve.err" &
server=$!
await 30 grep -q '^listening on http://127.0.0.1:' "$work/serve.out" || fail 'not ready within 30 s'
url=$(sed 's/^listening on //' "$work/serve.out")
is_told() { curl -fsS "$url/v1/streams/transactions" | grep -q '"state":"connecting","code":"unreachable"'; }
await 30 is_told || fail "$(curl -fsS "$url/v1/streams/transactions")"
curl -fsS "$url/v1/streams/transactions" | grep -q '"next":null,"end":null,"lag_records":null' || fail 'a number that nobody knows'
curl -fsS "$url/metrics" >"$work/metrics"
grep -qx 'weir_kafka_error{kafka="bank",topic="card-transactions",partition="0",code="unreachable"} 1' "$work/metrics" || fail 'no error'
for name in $(sed -n 's/^# TYPE \(weir_kafka_[a-z_]*\) .*/\1/p' "$work/metrics"); do has_row "$name"; done
states=$(sed -n 's/^weir_kafka_state{.*state="\([a-z_]*\)".*/\1/p' "$work/metrics")
(($(wc -w <<<"$states") == 5)) || fail "states: $states"
for state in $states; do has_row "$state"; done
has_row unreachable
kill "$server" && wait "$server" || fail 'it does not stop'
server=''
echo 'the page is what the server says'
