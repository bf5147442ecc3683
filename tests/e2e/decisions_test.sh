#!/usr/bin/env bash
# Decisions over HTTP, with 1 and 4 shards, kill -9 in between and every kind of repeat: see decisions.py. Environment: WEIR (the
# binary), WEIR_SOURCE_DIR (the root of the tree), EVENTS (400), KILLS (6), SEED (a random one, printed).
set -euo pipefail
root=${WEIR_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
exec python3 -B "$root/tests/e2e/decisions.py" --weir "${WEIR:-$root/build/release/weir}" --events "${EVENTS:-400}" --kills "${KILLS:-6}" \
  --seed "${SEED:-$RANDOM}"
