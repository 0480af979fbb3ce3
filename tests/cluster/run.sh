#!/usr/bin/env bash
# Does to several servers, their database and its standby what must not lose a job: kills, a standby that takes over,
# a server that is stopped and comes back too late, a clock that is wrong.
#
#   tests/cluster/run.sh [TRELLIS]
#
# TRELLIS_CLUSTER_ROUNDS: how many faults (2; the first five are all of them once). TRELLIS: the program (default: built here
# in the profile `dev`). Needed: Debian's PostgreSQL (tests/setup); for the clock, libfaketime.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || {
  echo "skipped: PostgreSQL's initdb is not here; tests/setup installs it"
  exit 77
}
if [[ -z ${1:-} ]]; then
  cargo build --quiet --package trellis-cli
  set -- target/debug/trellis
fi
folder=$(mktemp -d /var/tmp/trellis-cluster.XXXXXX)
# PostgreSQL's user passes through.
chmod 711 "$folder"
trap 'rm -rf "$folder"' EXIT

python3 tests/cluster/cluster.py "$(realpath "$1")" "$folder" "${TRELLIS_CLUSTER_ROUNDS:-2}"
