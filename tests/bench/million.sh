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
# shellcheck source=tests/needs.sh
source "$here/../needs.sh"
trellis=${1:-$here/../../target/release/trellis}
need_postgresql
need python3 "$trellis"
make_folder million
python3 "$here/million.py" "$(realpath "$trellis")" "$folder" "${2:-1000000}" "${3:-1000}"
