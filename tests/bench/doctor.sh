#!/usr/bin/env bash
# How long the doctor takes over a whole environment and how much memory, beside `ldd -r` over the same libraries.
#
#   tests/bench/doctor.sh ENVIRONMENT [TRELLIS]
#
# ENVIRONMENT is one that tests/real-wheels/run.sh has made, or any other; TRELLIS the program (default:
# target/release/trellis). `skipped: why` where there is none.
set -euo pipefail

environment=${1:-}
trellis=${2:-$(dirname "${BASH_SOURCE[0]}")/../../target/release/trellis}
if [[ -z $environment || ! -d $environment ]]; then
  echo "skipped: there is no environment; tests/real-wheels/run.sh makes one, and its folder is the argument"
  exit 77
fi
for program in python3 ldd "$trellis"; do
  command -v "$program" >/dev/null || {
    echo "skipped: $program is not here"
    exit 77
  }
done
exec python3 "$(dirname "${BASH_SOURCE[0]}")/doctor.py" "$(realpath "$environment")" "$(realpath "$trellis")"
