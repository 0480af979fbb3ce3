#!/usr/bin/env bash
# The server's own cost beside the floor, in one run: a bare axum with one Python worker behind a Unix socket that
# passes the same bytes (1 MiB in, 4 MiB out) and keeps nothing.
#
#   tests/bench/overhead.sh [--judge] [TRELLIS] [FLOOR] [FOLDER]
#
# TRELLIS is the program (default: target/release/trellis), FLOOR the example of trellis-server (default:
# target/release/examples/floor; `cargo build --release -p trellis-server --example floor`), FOLDER a folder on the disk
# to be measured (default: a new one in /var/tmp). With --judge it fails where the server takes more than twice the
# floor's processor time, or more than the floor and three flushes from request to result: for idle machines.
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
floor=${2:-$here/../../target/release/examples/floor}
folder=${3:-$(mktemp -d /var/tmp/trellis-bench.XXXXXX)}
[[ $# -ge 3 ]] || trap 'rm -rf "$folder"' EXIT
need python3 "$trellis" "$floor"
python3 "$here/overhead.py" "${judge[@]}" "$(realpath "$trellis")" "$(realpath "$floor")" "$(realpath "$folder")"
