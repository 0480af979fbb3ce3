#!/usr/bin/env bash
# The scenario of the NixOS VM test (nix/checks/vm.nix) against the real program, as processes.
# TRELLIS_BIN: which program; left out, it is built.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

command -v python3 >/dev/null || {
  echo "skipped: python3 is not here"
  exit 77
}
if [[ -z ${TRELLIS_BIN:-} ]]; then
  cargo build --quiet --package trellis-cli
  TRELLIS_BIN=${CARGO_TARGET_DIR:-target}/debug/trellis
fi
timeout 300 python3 tests/nixos/processes.py "$(realpath "$TRELLIS_BIN")" serve --backend relief
