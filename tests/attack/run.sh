#!/usr/bin/env bash
# Does to the real server what a hostile or broken client does, and prints a table of what it withstood.
#
#   tests/attack/run.sh [--program TRELLIS] [--times N] [NAME...]
#
# NAME: only these attacks. --times: so often, each time on new servers (default: once).
# TRELLIS: the program (default: built here in the profile `dev`).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

if [[ ${1:-} != --program ]]; then
  cargo build --quiet --package trellis-cli
  set -- --program target/debug/trellis "$@"
fi
exec python3 tests/attack/attack.py "$@"
