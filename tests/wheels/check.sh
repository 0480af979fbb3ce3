#!/usr/bin/env bash
# Downloads every wheel that nix/pins.json names, compares size and SHA-256, installs the set in a
# fresh virtual environment and imports torch and xformers on the CPU.
#
# usage: tests/wheels/check.sh [FOLDER]     FOLDER keeps the wheels (default: TRELLIS_WHEELS, or a
#                                           folder in the user's cache); those that are there stay
#
# Takes 5 GB of downloads and 10 GB of disk, so `make test` leaves it out. Exit codes: 0 all is as
# pinned, 1 something is not, 77 it could not run here, with a line `skipped: why`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

source tests/wheels/pinned.sh

folder=${1:-${TRELLIS_WHEELS:-${XDG_CACHE_HOME:-$HOME/.cache}/trellis-server/wheels}}
command -v python3 >/dev/null || skip "python3 is not installed"
[[ $(uname -sm) = "Linux x86_64" ]] || skip "the pinned wheels are for Linux on x86_64"
python=$(pinned_python)
[[ -n $python ]] || skip "the pinned Python with venv is not installed"

mkdir -p "$folder"
free_gb=$(df --output=avail -BG "$folder" | tail -n 1 | tr -dc 0-9)
((free_gb >= 15)) || skip "$folder has $free_gb GB free, and 15 are needed"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" -m venv "$work/venv"
pip() { "$work/venv/bin/python" -m pip --disable-pip-version-check --no-cache-dir "$@"; }

requirements "$work/all.txt" "$folder"
requirements "$work/missing.txt" "$folder" missing
printf 'pinned: %s wheels, to download: %s\n' "$(wc -l <"$work/all.txt")" "$(wc -l <"$work/missing.txt")"
if [[ -s $work/missing.txt ]]; then
  pip download --quiet --no-deps --require-hashes --only-binary :all: \
    --dest "$folder" --requirement "$work/missing.txt"
fi

python3 - "$pins" "$folder" <<'PYTHON'
import hashlib, json, pathlib, sys

pins, folder = sys.argv[1:]
wheels = json.load(open(pins))["wheels"]
wrong = total = 0
for name, wheel in sorted(wheels.items()):
    path = pathlib.Path(folder, wheel["filename"])
    if not path.exists():
        print(f"WRONG {name}: {wheel['filename']} is not what the index gives")
        wrong += 1
        continue
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    size = path.stat().st_size
    total += size
    if found != wheel["sha256"] or size != wheel["size"]:
        print(f"WRONG {name}: {size} bytes, sha256 {found}")
        wrong += 1
print(f"compared: {len(wheels)} wheels, {total} bytes, {wrong} mismatches")
sys.exit(wrong > 0)
PYTHON

pip install --quiet --no-index --find-links "$folder" --no-deps --require-hashes --requirement "$work/all.txt"
printf 'installed: %s distributions\n' "$(pip list --format=freeze | grep -cv '^pip==')"

# No GPU is needed for this: the compiled parts are loaded and their symbols resolved.
"$work/venv/bin/python" - "$pins" <<'PYTHON'
import json, sys

import torch
import xformers
import xformers._cpp_lib
import xformers.ops

pins = json.load(open(sys.argv[1]))
print(f"torch.__version__ {torch.__version__}, xformers {xformers.__version__}")
print("architectures of torch:", " ".join(torch._C._cuda_getArchFlags().split()))
metadata = xformers._cpp_lib._build_metadata
print(f"xformers was built for torch {metadata.torch_version}, CUDA {metadata.cuda_version}")
problem = xformers._cpp_lib._cpp_library_load_exception
print("xformers C++/CUDA extensions:", "loaded" if problem is None else f"NOT loaded: {problem}")
right = torch.__version__ == pins["torch"]["reports"] and problem is None
right = right and xformers.__version__ == pins["wheels"]["xformers"]["version"]
sys.exit(not right)
PYTHON
printf 'ok\n'
