#!/usr/bin/env bash
# What the server does under load: twice the work it can do, a thousand followers, a hundred thousand jobs.
#
#   tests/load/run.sh [--judge] [TRELLIS] [FILL]
#
# TRELLIS is the program (default: target/release/trellis), FILL the example of trellis-jobs that fills a database
# (default: target/release/examples/fill; `cargo build --release -p trellis-jobs --example fill`). It fails where the
# server loses or mistreats something; times are only printed, unless --judge says that the machine is idle.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/needs.sh
source "$here/../needs.sh"
judge=()
if [[ ${1:-} == --judge ]]; then
  judge=(--judge)
  shift
fi
trellis=${1:-$here/../../target/release/trellis}
fill=${2:-$here/../../target/release/examples/fill}
need python3 "$trellis" "$fill"
make_folder load
python3 "$here/load.py" "${judge[@]}" "$(realpath "$trellis")" "$(realpath "$fill")" "$folder"
