#!/usr/bin/env bash
# How long jobs wait for five real servers, beside what the simulation says of the same submissions.
#
#   tests/bench/waits.sh [TRELLIS] [SIMULATION] [SECONDS]
#
# TRELLIS is the program (default: target/release/trellis), SIMULATION that of crates/trellis-sim (default:
# target/release/trellis-sim), SECONDS how long jobs come (120). TRELLIS's place takes the stand-in of tests/fake_trellis,
# whose every job sleeps for a second.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
trellis=${1:-$here/../../target/release/trellis}
simulation=${2:-$here/../../target/release/trellis-sim}
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || {
  echo "skipped: PostgreSQL's initdb is not here; tests/setup installs it"
  exit 77
}
for program in python3 "$trellis" "$simulation"; do
  command -v "$program" >/dev/null || {
    echo "skipped: $program is not here"
    exit 77
  }
done
folder=$(mktemp -d /var/tmp/trellis-waits.XXXXXX)
# PostgreSQL's user passes through.
chmod 711 "$folder"
trap 'rm -rf "$folder"' EXIT
python3 "$here/waits.py" "$(realpath "$trellis")" "$(realpath "$simulation")" "$folder" "${3:-120}"
