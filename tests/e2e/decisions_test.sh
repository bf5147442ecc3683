#!/usr/bin/env bash
# Decisions over HTTP, with 1 and 4 shards, kill -9 in between and every kind of repeat: see decisions.py. Environment: WEIR (the
# binary), WEIR_SOURCE_DIR (the root of the tree), SEED (a random one, printed).   Usage: decisions_test.sh [EVENTS [KILLS]]
set -euo pipefail
root=${WEIR_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
exec python3 -B "$root/tests/e2e/decisions.py" --weir "${WEIR:-$root/build/release/weir}" --events "${1:-400}" --kills "${2:-6}" \
  --seed "${SEED:-$RANDOM}"
