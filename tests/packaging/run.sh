#!/usr/bin/env bash
# The files of packaging/ with the real program: systemd reads the units, the flags and variables are those that the program
# knows, what they say of each other holds, and a job that is sent to the API of each form is made by its worker.
#
#   tests/packaging/run.sh [TRELLIS]
#
# TRELLIS: the program (default: built here in the profile `dev`). Needed: Debian's PostgreSQL (tests/setup) and PyYAML.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source tests/needs.sh

need_postgresql
python3 -c 'import yaml' 2>/dev/null || skip "Python's yaml is not here; tests/setup installs it"
if [[ -z ${1:-} ]]; then
  cargo build --quiet --package trellis-cli
  set -- target/debug/trellis
fi
make_folder packaging

python3 tests/packaging/packaging.py "$(realpath "$1")" "$folder"
