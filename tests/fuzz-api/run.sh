#!/usr/bin/env bash
# Fuzzes a running server against its own contract with schemathesis and fails on any finding.
# Usage: run.sh [PATH OF THE BINARY trellis]; without one it is built.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)

binary=${1:-}
if [[ -z $binary ]]; then
  cargo build --quiet --manifest-path "$root/Cargo.toml" --package trellis-cli
  target=$(cargo metadata --manifest-path "$root/Cargo.toml" --format-version 1 --no-deps |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
  binary=$target/debug/trellis
fi

place=$(mktemp -d)
server=
# shellcheck disable=SC2317 # the trap calls it
finish() {
  [[ -z $server ]] || kill "$server" 2>/dev/null || true
  [[ -z $server ]] || wait "$server" || true
  rm -rf "$place"
}
trap finish EXIT

python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"

# Port 0: the server says which one it got.
"$binary" serve --data-dir "$place/data" --port 0 --limits-queued-jobs 1000000 \
  >"$place/out" 2>"$place/log" &
server=$!
for _ in {1..100}; do
  address=$(grep -om1 'http://127\.0\.0\.1:[0-9]*' "$place/out" || true)
  [[ -z $address ]] || break
  kill -0 "$server" || { cat "$place/log" >&2; exit 1; }
  sleep 0.1
done
[[ -n $address ]] || { echo "the server did not say where it listens" >&2; cat "$place/log" >&2; exit 1; }

# Findings and caches of the fuzzer stay out of the repository.
mkdir "$place/fuzz"
cp "$here"/{hooks.py,schemathesis.toml} "$place/fuzz"
cd "$place/fuzz"

# One job that is finished before the fuzzing starts, so that there is a file to fetch.
"$place/venv/bin/python" -c 'import hooks, sys; sys.stdout.buffer.write(hooks.png(24, 24, 240))' >"$place/photo.png"
job=$(curl -fsS -F "image=@$place/photo.png" "$address/v1/jobs" -o /dev/null -w '%header{location}')
curl -fsSN --max-time 60 "$address$job/events" >/dev/null
curl -fsS -o /dev/null "$address$job/artifacts/model.glb"

echo "\"${job##*/}\"" >finished-jobs.txt

# Every check but one: `DELETE` of a live job cancels it (200) and keeps it, only 204 means that it is gone.
status=0
"$place/venv/bin/schemathesis" run "$address/openapi.json" --no-color \
  --checks all --exclude-checks use_after_free || status=$?

# Whatever it was asked, it still answers, and nothing in it panicked.
curl -fsS "$address/v1/health/ready" >/dev/null || status=1
if grep -i 'panicked' "$place/log" >&2; then status=1; fi
exit "$status"
