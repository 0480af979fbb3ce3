#!/usr/bin/env bash
# What other servers of TRELLIS promise their clients, held against ours: written from the documented contracts with a
# plain HTTP client, nothing of ours in between.
#
#   tests/compat/run.sh [PATH OF THE BINARY trellis]       without one it is built
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

binary=${1:-}
if [[ -z $binary ]]; then
  cargo build --quiet --package trellis-cli
  binary=${CARGO_TARGET_DIR:-target}/debug/trellis
fi
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check --requirement tests/compat/requirements.txt
TRELLIS=$(realpath "$binary") PYTHONDONTWRITEBYTECODE=1 \
  "$place/venv/bin/python" -m unittest discover --top-level-dir tests/compat --start-directory tests/compat --pattern '*.py'
