#!/usr/bin/env bash
# A backup while jobs run, by the commands of docs/many-machines.md, and its restoration into another database and folder: every
# job that was accepted before is there, ends once and has its files.
#
#   tests/backup/run.sh [TRELLIS]
#
# TRELLIS: the program (default: built here in the profile `dev`). Needed: Debian's PostgreSQL (tests/setup).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source tests/needs.sh

need_postgresql
if [[ -z ${1:-} ]]; then
  cargo build --quiet --package trellis-cli
  set -- target/debug/trellis
fi
make_folder backup

python3 tests/backup/backup.py "$(realpath "$1")" "$folder"
