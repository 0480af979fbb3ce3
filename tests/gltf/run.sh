#!/usr/bin/env bash
# Makes a GLB of every test picture, odd ones too, writes provenance into each, and checks all of them with the
# Khronos validator.
# Further GLB files can be named. Exits with 77 where Node or its packages are not there.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

command -v node >/dev/null || { echo "skipped: node is not installed"; exit 77; }
[[ -d "$here/node_modules/gltf-validator" ]] || { echo "skipped: run \`npm ci --prefix tests/gltf\` first"; exit 77; }

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
example() { cargo run --quiet --manifest-path "$here/../../Cargo.toml" --package "$1" --example "$2" -- "${@:3}"; }
example trellis-relief test_pictures "$folder"
example trellis-provenance stamp "$folder"/*.glb
node "$here/validate.mjs" "$folder"/*.glb "$@"
