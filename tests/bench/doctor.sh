#!/usr/bin/env bash
# How long the doctor takes over a whole environment and how much memory, beside `ldd -r` over the same libraries.
#
#   tests/bench/doctor.sh ENVIRONMENT [TRELLIS]
#
# ENVIRONMENT is one that tests/real-wheels/run.sh has made, or any other; TRELLIS the program (default:
# target/release/trellis). `skipped: why` where there is none.
set -euo pipefail
# shellcheck source=tests/needs.sh
source "$(dirname "${BASH_SOURCE[0]}")/../needs.sh"

environment=${1:-}
trellis=${2:-$(dirname "${BASH_SOURCE[0]}")/../../target/release/trellis}
if [[ -z $environment || ! -d $environment ]]; then
  skip "there is no environment; tests/real-wheels/run.sh makes one, and its folder is the argument"
fi
need python3 ldd "$trellis"
exec python3 "$(dirname "${BASH_SOURCE[0]}")/doctor.py" "$(realpath "$environment")" "$(realpath "$trellis")"
