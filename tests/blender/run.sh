#!/usr/bin/env bash
# Takes what `trellis generate` makes through Blender: a GLB imported and exported again still says that it is a
# preview, an OBJ comes with its texture, an STL stands upright and has its size in millimetres.
# Usage: run.sh [PATH OF THE BINARY trellis]; without one it is built. BLENDER_PYTHON names a Python that has the
# package bpy (`pip install bpy` in a virtual environment). Exits with 77 where it cannot run.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)

python=${BLENDER_PYTHON:-python3}
command -v "$python" >/dev/null || { echo "skipped: $python is not installed"; exit 77; }
"$python" -c 'import importlib.util, sys; sys.exit(importlib.util.find_spec("bpy") is None)' ||
  { echo "skipped: $python has no package bpy; name one that has it in BLENDER_PYTHON"; exit 77; }

binary=${1:-}
if [[ -z $binary ]]; then
  command -v jq >/dev/null || { echo "skipped: jq is not installed"; exit 77; }
  cargo build --quiet --manifest-path "$root/Cargo.toml" --package trellis-cli
  target=$(cargo metadata --manifest-path "$root/Cargo.toml" --format-version 1 --no-deps | jq -r .target_directory)
  binary=$target/debug/trellis
fi

export PYTHONDONTWRITEBYTECODE=1
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -c 'import sys; sys.path.insert(0, sys.argv[1]); import png; png.write(sys.argv[2])' \
  "$root/tests/provenance" "$place/red chair.png"
HOME=$place "$binary" generate "$place/red chair.png" -o "$place/chair.glb" --format glb,obj,stl --backend relief \
  --seed 7 --stl-size-mm 80 >/dev/null 2>&1
"$python" "$here/check.py" "$place"
