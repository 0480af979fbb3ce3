#!/usr/bin/env bash
# Does to several servers, their database, its standby and their storage what must not lose a job: kills, a standby that
# takes over, servers that are stopped or cut off and come back, clocks that are wrong, storage that fails, disks that are
# slow, hang or are full. tests/cluster/faults.py has the list.
#
#   tests/cluster/run.sh [TRELLIS]
#
# TRELLIS: the program (default: built here in the profile `dev`).
# TRELLIS_CLUSTER_ROUNDS: how many faults, one after another from the list (3, which are others each day; 100 take about 40
# minutes).
# TRELLIS_CLUSTER_FAULTS: the names of those to do instead, with commas between them.
#
# Needed: Debian's PostgreSQL and `s3s-fs` (tests/setup); for the clocks, libfaketime. As root, each server and database has a
# network, and databases and workers have disks of their own; otherwise faults of these are skipped.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source tests/needs.sh

need_postgresql
if [[ -z ${1:-} ]]; then
  cargo build --quiet --package trellis-cli
  set -- "${CARGO_TARGET_DIR:-target}/debug/trellis"
fi
folder=$(mktemp -d /var/tmp/trellis-cluster.XXXXXX)
# PostgreSQL's user passes through.
chmod 711 "$folder"

alone=()
# All that is started, mounted or set up in there goes with it, however it ends.
if unshare --net --mount --pid --fork --kill-child --mount-proc true 2>/dev/null; then
  alone=(unshare --net --mount --pid --fork --kill-child --mount-proc)
fi
status=0
"${alone[@]}" python3 tests/cluster/cluster.py "$(realpath "$1")" "$folder" "${TRELLIS_CLUSTER_ROUNDS:-}" || status=$?
if ((status == 0)); then
  rm -rf "$folder"
else
  echo "what the servers and databases said is kept in $folder" >&2
fi
exit "$status"
