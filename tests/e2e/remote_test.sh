#!/usr/bin/env bash
# Remote checkpoints: a server is killed and its data directory deleted, another one goes on from the copy; two owners; see remote.py.
# Environment: WEIR (the binary), WEIR_SOURCE_DIR (the root of the tree).   Usage: remote_test.sh [EVENTS]
set -euo pipefail
root=${WEIR_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
exec python3 -B "$root/tests/e2e/remote.py" --weir "${WEIR:-$root/build/release/weir}" --events "${1:-3000}"
