#!/usr/bin/env bash
# A backup while jobs run, by the commands of docs/many-machines.md, and its restoration into another database and folder: every
# job that was accepted before is there, ends once and has its files.
#
#   tests/backup/run.sh [TRELLIS]
#
# TRELLIS: the program (default: built here in the profile `dev`). Needed: Debian's PostgreSQL (tests/setup).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || {
  echo "skipped: PostgreSQL's initdb is not here; tests/setup installs it"
  exit 77
}
if [[ -z ${1:-} ]]; then
  cargo build --quiet --package trellis-cli
  set -- target/debug/trellis
fi
folder=$(mktemp -d /var/tmp/trellis-backup.XXXXXX)
# PostgreSQL's user passes through.
chmod 711 "$folder"
trap 'rm -rf "$folder"' EXIT

python3 tests/backup/backup.py "$(realpath "$1")" "$folder"
