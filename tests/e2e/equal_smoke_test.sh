#!/usr/bin/env bash
# The quick form of equal.sh: every way in, few events.
EVENTS=20000 SINGLES=2000 SEEDS="7 8" exec bash "$(dirname "$0")/equal.sh"
