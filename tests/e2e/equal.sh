#!/usr/bin/env bash
# Every way in gives the same alerts: see equal.py. Environment: WEIR (the binary), WEIR_SOURCE_DIR (the root of the
# tree), EVENTS (1000000), SINGLES (50000: events sent one by one), SEEDS ("7 8").
set -euo pipefail
root=${WEIR_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
read -ra seeds <<<"${SEEDS:-7 8}"
exec python3 -B "$root/tests/e2e/equal.py" --weir "${WEIR:-$root/build/release/weir}" --rules "$root/rules" \
  --events "${EVENTS:-1000000}" --singles "${SINGLES:-50000}" --seeds "${seeds[@]}"
