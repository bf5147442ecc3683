#!/usr/bin/env bash
# A few kills, so that every test run sees some; `make chaos` makes 400.
set -euo pipefail
exec bash "$(dirname "${BASH_SOURCE[0]}")/chaos.sh" 8
