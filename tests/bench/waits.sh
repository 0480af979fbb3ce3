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
# shellcheck source=tests/needs.sh
source "$here/../needs.sh"
trellis=${1:-$here/../../target/release/trellis}
simulation=${2:-$here/../../target/release/trellis-sim}
need_postgresql
need python3 "$trellis" "$simulation"
make_folder waits
python3 "$here/waits.py" "$(realpath "$trellis")" "$(realpath "$simulation")" "$folder" "${3:-120}"
