# Sourced by the end-to-end tests that start a server, which writes to $work/serve.out and $work/serve.err.

# fail WHY: ends the test, with what the server said last.
fail() {
  echo "FAILED: $1" >&2
  tail -n 30 "$work/serve.err" >&2 || true
  exit 1
}

# await SECONDS COMMAND..: until the command succeeds.
await() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < deadline)) || return 1
    sleep 0.05
  done
}
