#!/usr/bin/env bash
# The kill harness: chaos.sh [KILLS] [more options of chaos.py]. The binary is $WEIR.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
kills=${1:-400}
[ $# -eq 0 ] || shift
exec python3 -u chaos.py --kills "$kills" "$@"
