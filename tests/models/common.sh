# Sourced: builds the program and the stand-in, starts the stand-in, ends it with the script.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
hub_pid=

finish() {
  [[ -z $hub_pid ]] || kill "$hub_pid" 2>/dev/null || true
  umount "$work/small" 2>/dev/null || true # of disk-full.sh
  rm -rf "$work"
}
trap finish EXIT

source "$root/tests/needs.sh"

# build PROFILE: sets `trellis` and `stand_in` to the binaries of that profile.
build() {
  local profile=$1 target
  cargo build --quiet --profile "$profile" --manifest-path "$root/Cargo.toml" --package trellis-cli
  cargo build --quiet --profile "$profile" --manifest-path "$root/Cargo.toml" --package trellis-model-fetch \
    --example hub-stand-in
  target=$(cargo metadata --format-version 1 --no-deps --manifest-path "$root/Cargo.toml" |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
  target+=/${profile/%dev/debug}
  trellis=$target/trellis
  stand_in=$target/examples/hub-stand-in
}

# start_hub [BYTES]: sets `endpoint`; the digests are in $work/sums.
start_hub() {
  "$stand_in" "$@" >"$work/hub" &
  hub_pid=$!
  # It says so when it listens; making the digests of five gigabytes takes a while.
  until grep '^endpoint ' "$work/hub" >"$work/line"; do
    kill -0 "$hub_pid" 2>/dev/null || {
      echo "the stand-in ended early" >&2
      return 1
    }
    sleep 0.1
  done
  endpoint=$(cut -d ' ' -f 2 "$work/line")
  grep -v '^endpoint ' "$work/hub" >"$work/sums"
}
