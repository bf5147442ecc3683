#!/usr/bin/env bash
# The quick form of webhooks.sh, without the network: a verifier of the standard library, few alerts.
set -euo pipefail
root=${WEIR_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
exec python3 -B "$root/tests/e2e/webhooks.py" --weir "${WEIR:-$root/build/release/weir}" --alerts 120 --restarts 1
