#!/usr/bin/env bash
# `weir serve` and its client verbs as a person uses them: rules from a directory, events, alerts over the event stream and a webhook,
# match state equal byte for byte across a restart and a kill -9, and every refusal with its exit status.
# Needs bash, curl and python3 (for the webhook's receiver).
set -euo pipefail
# shellcheck source=tests/e2e/serving.sh
. "$(dirname "$0")/serving.sh"
root=${WEIR_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
weir=${WEIR:-$root/build/release/weir}
work=$(mktemp -d)
server='' receiver='' tail_pid=''
cleanup() {
  local pid
  for pid in $tail_pid $server $receiver; do kill -9 "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap cleanup EXIT

# expect STATUS COMMAND..: the exit status is the promise of the command line.
expect() {
  local wanted=$1 status=0
  shift
  "$@" >"$work/last.out" 2>"$work/last.err" || status=$?
  ((status == wanted)) || fail "$* exited with $status, not $wanted: $(cat "$work/last.out" "$work/last.err")"
}

serve() {
  : >"$work/serve.out"
  "$weir" serve --config "$work/weir.toml" --data "$work/data" --listen 127.0.0.1:0 --rules "$root/rules" \
    >"$work/serve.out" 2>>"$work/serve.err" &
  server=$!
  await 60 grep -q '^listening on http://127.0.0.1:' "$work/serve.out" || fail 'not ready within 60 s'
  (($(wc -l <"$work/serve.out") == 1)) || fail 'more than one line on the standard output'
  url=$(sed 's/^listening on //' "$work/serve.out")
  export WEIR_SERVER=$url
}

payment() { echo "{\"id\":\"$1\",\"card\":\"c1\",\"amount\":$2,\"country\":\"RO\",\"at\":\"2026-01-05T10:00:$3Z\"}"; }

# --- a receiver of webhooks: each body a line of a file
cat >"$work/receiver.py" <<'EOF'
import http.server, sys
class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        signed = self.headers["webhook-id"] and self.headers["webhook-signature"].startswith("v1,")
        with open(sys.argv[1], "ab") as out:
            out.write((b"signed " if signed else b"unsigned ") + body + b"\n")
        self.send_response(204)
        self.end_headers()
    def log_message(self, *_): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Hook)
print(server.server_port, flush=True)
server.serve_forever()
EOF
python3 "$work/receiver.py" "$work/hooks" >"$work/port" &
receiver=$!
await 60 test -s "$work/port" || fail 'no receiver'
touch "$work/hooks"
echo 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' >"$work/hook.secret"
cat >"$work/weir.toml" <<EOF
[delivery]
allow_cidrs = ["127.0.0.0/8"]
schedule = ["200 ms", "1 s"]

[[sinks]]
name = "hook"
url = "http://127.0.0.1:$(cat "$work/port")/alerts"
secret_file = "hook.secret"
EOF

# --- refusals before anything serves
expect 0 "$weir" check --config "$work/weir.toml"
cat >"$work/sends.weir" <<'EOF'
create stream s (k text not null, at timestamp not null) event time at;
create rule r on s partition by k when true suppress 1 hour alert severity low message 'm' to hok;
EOF
expect 0 "$weir" check "$work/sends.weir"
expect 2 "$weir" check --config "$work/weir.toml" "$work/sends.weir"
grep -q 'E0124' "$work/last.out" && grep -q 'did you mean `hook`' "$work/last.out" || fail "an unknown sink passes: $(cat "$work/last.out")"
expect 2 "$weir" serve --config "$work/weir.toml" --data "$work/other" --listen 127.0.0.1:0 --rules "$work/sends.weir"
grep -q 'sends.weir:2:' "$work/last.err" || fail "no place of the unknown sink: $(cat "$work/last.err")"
sed 's/allow_cidrs/allow_cdirs/' "$work/weir.toml" >"$work/typo.toml"
expect 3 "$weir" check --config "$work/typo.toml"
grep -q 'typo.toml:2: .*did you mean `allow_cidrs`' "$work/last.err" || fail "no hint: $(cat "$work/last.err")"
expect 3 "$weir" serve --data "$work/data" --listen 0.0.0.0:0
grep -q -e '--insecure' "$work/last.err" || fail 'does not say how to listen beyond loopback'
expect 4 "$weir" rules list --server http://127.0.0.1:1
mkdir "$work/strangers" && echo mine >"$work/strangers/diary.txt"
expect 3 "$weir" serve --data "$work/strangers" --listen 127.0.0.1:0
echo 'create rule x on nowhere when true alert severity low;' >"$work/bad.weir"
expect 2 "$weir" serve --data "$work/other" --listen 127.0.0.1:0 --rules "$work/bad.weir"
grep -q 'bad.weir:1:18' "$work/last.err" || fail "no place in the diagnostics: $(cat "$work/last.err")"

# --- rules, events, half a match
serve
expect 3 "$weir" serve --data "$work/data" --listen 127.0.0.1:0
grep -qi 'another' "$work/last.err" || fail "a second process is not told why: $(cat "$work/last.err")"
expect 0 "$weir" rules get card_testing
expect 0 "$weir" streams list --output json
expect 0 "$weir" sinks list
expect 2 "$weir" rules get no_such_rule
expect 2 "$weir" rules put "$work/bad.weir"
curl -fsS "$url/openapi.json" | python3 -c 'import json, sys; assert json.load(sys.stdin)["openapi"].startswith("3.1")' || fail 'openapi.json'
curl -fsS "$url/metrics" >"$work/metrics" && grep -q '^weir_build_info' "$work/metrics" || fail 'metrics'
curl -fsS "$url/readyz" >/dev/null || fail 'not ready'
for i in 1 2 3; do payment "p$i" "$i.00" "0$i"; done >"$work/probes.ndjson"
expect 0 "$weir" events send --stream transactions "$work/probes.ndjson"
grep -q '^3 accepted, 0 duplicates, 0 rejected' "$work/last.err" || fail "probes: $(cat "$work/last.err")"
expect 0 "$weir" events send --stream transactions "$work/probes.ndjson"
grep -q '^0 accepted, 3 duplicates' "$work/last.err" || fail "the same events again: $(cat "$work/last.err")"
echo '{"card": 7}' >"$work/wrong.ndjson"
expect 2 "$weir" events send --strict --stream transactions "$work/wrong.ndjson"
"$weir" matches get --rule card_testing --key c1 --output json >"$work/before.json"
grep -q '"count":3' "$work/before.json" || fail "no half match: $(cat "$work/before.json")"

# --- a stop with SIGTERM, then kill -9: the half match is the same to the byte
kill -TERM "$server"
wait "$server" || fail "SIGTERM: exit status $?"
serve
"$weir" matches get --rule card_testing --key c1 --output json >"$work/after.json"
cmp "$work/before.json" "$work/after.json" || fail 'the match state differs after a restart'
kill -9 "$server"
wait "$server" 2>/dev/null || true
serve
"$weir" matches get --rule card_testing --key c1 --output json >"$work/after.json"
cmp "$work/before.json" "$work/after.json" || fail 'the match state differs after kill -9'

# --- the cash-out: the event stream, the list of alerts and the webhook have the same alert
"$weir" alerts tail --count 1 --after 0:0 --rule card_testing --output ndjson >"$work/tail.out" 2>"$work/tail.err" &
tail_pid=$!
payment p4 900.00 30 | "$weir" events send --stream transactions - 2>"$work/last.err" || fail "cash-out: $(cat "$work/last.err")"
await 60 grep -q '"rule":"card_testing"' "$work/tail.out" || fail 'no alert on the event stream'
tail_pid=''
id=$(sed 's/^{"id":"\([0-9a-f]*\)".*/\1/' "$work/tail.out")
expect 0 "$weir" alerts get "$id"
expect 0 "$weir" alerts list --rule card_testing --key c1 --output ndjson
grep -q "$id" "$work/last.out" || fail 'the list of alerts does not have it'
await 60 grep -q "^signed .*$id" "$work/hooks" || fail "no webhook: $(cat "$work/hooks")"
expect 0 "$weir" sinks attempts hook
expect 0 "$weir" checkpoints trigger
expect 0 "$weir" lists add known_payees landlord
expect 0 "$weir" lists get known_payees
grep -q landlord "$work/last.out" || fail 'the list does not have the entry'
expect 0 "$weir" rules mode card_testing shadow
expect 0 "$weir" rules delete card_probing
expect 2 "$weir" rules get card_probing

# --- SIGHUP applies the directory again; what was deleted over the API stays deleted, since its file did not change
kill -HUP "$server"
await 60 grep -q 'rules applied .*unchanged' "$work/serve.err" || fail 'SIGHUP'
expect 2 "$weir" rules get card_probing
kill -INT "$server"
wait "$server" || fail "SIGINT: exit status $?"
expect 4 "$weir" alerts list
echo 'serve: everything as promised'
