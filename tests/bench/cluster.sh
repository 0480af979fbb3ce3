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
# shellcheck source=tests/needs.sh
source "$here/../needs.sh"
trellis=${1:-$here/../../target/release/trellis}
need_postgresql
need python3 "$trellis"
make_folder cluster
python3 "$here/cluster.py" "$(realpath "$trellis")" "$folder" "${2:-5}"
