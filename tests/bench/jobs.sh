#!/usr/bin/env bash
# What a job costs: processor time of server and worker, page faults, flushes to disk by cause, time alone, results a second
# at 32 connections; beside it the same worker without a server.
#
#   tests/bench/jobs.sh [TRELLIS] [FOLDER]
#
# TRELLIS is the program (default: target/release/trellis), FOLDER a folder on the disk to be measured (default: a
# new one in /var/tmp). TRELLIS's place takes the stand-in of tests/fake_trellis, which does next to nothing: a picture
# of 1 MiB goes in, a GLB of 4 MiB comes out. Flushes are counted where there is strace.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/needs.sh
source "$here/../needs.sh"
trellis=${1:-$here/../../target/release/trellis}
folder=${2:-$(mktemp -d /var/tmp/trellis-bench.XXXXXX)}
[[ $# -ge 2 ]] || trap 'rm -rf "$folder"' EXIT
need python3 "$trellis"
python3 "$here/jobs.py" "$(realpath "$trellis")" "$(realpath "$folder")"
