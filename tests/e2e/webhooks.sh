#!/usr/bin/env bash
# Webhooks against a verifier that is not ours: installs the PyPI package standardwebhooks into a temporary directory,
# then webhooks.py. Needs the network. Environment: WEIR (the binary), WEIR_SOURCE_DIR (the root of the tree),
# ALERTS (1000).
set -euo pipefail
root=${WEIR_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
packages=$(mktemp -d)
trap 'rm -rf "$packages"' EXIT
python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target "$packages" standardwebhooks
PYTHONPATH=$packages python3 -B "$root/tests/e2e/webhooks.py" --weir "${WEIR:-$root/build/release/weir}" \
  --alerts "${ALERTS:-1000}" --library
