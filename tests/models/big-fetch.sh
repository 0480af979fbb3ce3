#!/usr/bin/env bash
# A fetch of five gigabytes from the stand-in, killed ten times, must end byte-exact.
# On demand: it writes 5 GB. The sizes may be given: big-fetch.sh [BYTES] [INTERRUPTIONS]
set -euo pipefail
# shellcheck source=tests/models/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

bytes=${1:-5000000000}
interruptions=${2:-10}
target=$work/fetched

free=$(($(df --output=avail -B1 "$work" | tail -n 1)))
((free > bytes + bytes / 10)) || skip "$bytes bytes are needed in $work, $free are free"
build release
start_hub "$bytes"

# An array and not a function: in the background its process is then the program itself, which is to be killed.
fetch=(env -i HOME="$work/home" NO_PROXY='*' "$trellis" model fetch org/model
  --endpoint "$endpoint" --to "$target" --extras=false)

# Bytes that are on disk, noted ranges or not.
on_disk() {
  du -s --block-size=1 "$target" 2>/dev/null | cut -f 1 || true
}

for ((round = 1; round <= interruptions; round++)); do
  goal=$((bytes * round / (interruptions + 1)))
  "${fetch[@]}" 2>/dev/null >/dev/null &
  pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    here=$(on_disk)
    ((${here:-0} < goal)) || break
  done
  kill -KILL "$pid" 2>/dev/null || {
    echo "round $round: it was done before it could be killed" >&2
    exit 1
  }
  wait "$pid" 2>/dev/null || true
  echo "killed $round of $interruptions with $(on_disk) of $bytes bytes on disk"
done

start=$(date +%s.%N)
"${fetch[@]}"
end=$(date +%s.%N)
(cd "$target" && sha256sum --check --quiet "$work/sums")
leftover=$(find "$target" -name '*trellis-part*' | wc -l)
((leftover == 0)) || {
  echo "$leftover parts were left behind" >&2
  exit 1
}
awk -v s="$start" -v e="$end" -v b="$bytes" -v n="$interruptions" \
  'BEGIN { printf "ok: %s bytes, killed %d times, byte-exact; the last run took %.1f s\n", b, n, e - s }'
