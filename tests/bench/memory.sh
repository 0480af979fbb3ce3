#!/usr/bin/env bash
# How much memory the server holds: idle, while 200 clients upload at once, 10 s later, and with idle connections.
#
#   tests/bench/memory.sh [TRELLIS] [CONNECTIONS]
#
# TRELLIS is the program (default: target/quick/trellis), CONNECTIONS how many idle ones are opened (default: 19900,
# fewer where fewer files may be open).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/needs.sh
source "$here/../needs.sh"
trellis=${1:-$here/../../target/quick/trellis}
need python3 "$trellis"
PYTHONPATH="$here/../attack" exec python3 "$here/memory.py" "$(realpath "$trellis")" "${2:-19900}"
