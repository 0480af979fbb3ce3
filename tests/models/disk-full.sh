#!/usr/bin/env bash
# A disk that fills up while a model is fetched: a clear error, nothing half-written in place, and the same
# command goes on when there is room again.
set -euo pipefail
# shellcheck source=tests/models/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

if [[ ${1:-} != inside ]]; then
  unshare --user --map-root-user --mount true 2>/dev/null || skip "user namespaces are not allowed here"
  build dev
  export trellis stand_in
  exec unshare --user --map-root-user --mount "${BASH_SOURCE[0]}" inside
fi

small=$work/small
mkdir "$small"
mount -t tmpfs -o size=60m tmpfs "$small" || skip "a small file system cannot be mounted"
start_hub 100000000

fetch() {
  env -i HOME="$work/home" NO_PROXY='*' "$trellis" model fetch org/model \
    --endpoint "$endpoint" --to "$small/fetched" --extras=false --json
}

if fetch >"$work/said"; then
  echo "100 MB cannot have gone onto 60 MB" >&2
  exit 1
fi
grep -q '"kind": "disk_full"' "$work/said" || {
  cat "$work/said" >&2
  exit 1
}
while read -r digest path; do
  [[ ! -e $small/fetched/$path ]] || echo "$digest  $path" >>"$work/placed"
done <"$work/sums"
(cd "$small/fetched" && sha256sum --check --quiet "$work/placed")
mount -o remount,size=150m "$small"
fetch >/dev/null
(cd "$small/fetched" && sha256sum --check --quiet "$work/sums")
echo "ok: a full disk was said, and the fetch went on when there was room"
