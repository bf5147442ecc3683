#!/usr/bin/env bash
# `weir lsp` over a pipe: diagnostics with their ranges, hover, completion, formatting, and the end.
set -euo pipefail
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
python3 "$WEIR_SOURCE_DIR/tests/e2e/lsp.py" "$WEIR" "$directory"
for file in weir.tmLanguage language-configuration package; do
  python3 -m json.tool "$WEIR_SOURCE_DIR/editors/$file.json" >/dev/null
done
