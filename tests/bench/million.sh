#!/usr/bin/env bash
# What a store of many jobs costs beside an empty one: submissions, jobs that wait for nobody, one job's state, lists, status.
# And what followers cost that hear of nothing.
#
#   tests/bench/million.sh [TRELLIS] [JOBS] [FOLLOWERS]
#
# TRELLIS is the program (default: target/release/trellis), JOBS how many jobs the store is filled with (1000000, about 4 GB
# on the disk of /var/tmp, copies of one that ran), FOLLOWERS how many follow a job each (1000). TRELLIS's place takes the
# stand-in of tests/fake_trellis.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
trellis=${1:-$here/../../target/release/trellis}
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || {
  echo "skipped: PostgreSQL's initdb is not here; tests/setup installs it"
  exit 77
}
for program in python3 "$trellis"; do
  command -v "$program" >/dev/null || {
    echo "skipped: $program is not here"
    exit 77
  }
done
folder=$(mktemp -d /var/tmp/trellis-million.XXXXXX)
# PostgreSQL's user passes through.
chmod 711 "$folder"
trap 'rm -rf "$folder"' EXIT
python3 "$here/million.py" "$(realpath "$trellis")" "$folder" "${2:-1000000}" "${3:-1000}"
