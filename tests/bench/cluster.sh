#!/usr/bin/env bash
# What several servers do together: jobs a second from one to so many servers, how long a claim takes, how many submissions a
# second one database takes, and what servers cost it that have nothing to do. Times depend on the machine.
#
#   tests/bench/cluster.sh [TRELLIS] [NODES]
#
# TRELLIS is the program (default: target/release/trellis), NODES how many servers at most (5). TRELLIS's place takes the
# stand-in of tests/fake_trellis, whose every job sleeps for four seconds: it is the servers and the database that are measured.
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
folder=$(mktemp -d /var/tmp/trellis-cluster.XXXXXX)
# PostgreSQL's user passes through.
chmod 711 "$folder"
trap 'rm -rf "$folder"' EXIT
python3 "$here/cluster.py" "$(realpath "$trellis")" "$folder" "${2:-5}"
