#!/usr/bin/env bash
# The doctor on the real wheels: torch 2.9.1 and 2.8.0, xformers, spconv and what they need.
#
#   tests/real-wheels/run.sh FOLDER [TRELLIS]
#
# FOLDER gets the wheels and two environments, about 25 GB; what is there already is taken. TRELLIS is the
# program (default: target/release/trellis). Prints the table that docs/real-wheels.md holds, and fails where
# - the lists of machine code differ from nix/pins.json,
# - xformers beside torch 2.8.0 lacks other symbols than the pins say, or
# - the torch of the pins defines the symbol that tells a kaolin for torch 2.8.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

if (($# < 1)); then
  echo "usage: tests/real-wheels/run.sh FOLDER [TRELLIS]" >&2
  exit 2
fi
folder=$(mkdir -p "$1" && cd "$1" && pwd)
trellis=$(realpath "${2:-target/release/trellis}")
if ! command -v python3 >/dev/null || ! python3 -m pip --version >/dev/null 2>&1; then
  echo "skipped: python3 with pip is not here"
  exit 0
fi
free=$(df --output=avail -B1 "$folder" | tail -1)
if [[ ! -d $folder/torch-2.8.0 ]] && ((free < 26000000000)); then
  echo "skipped: 26 GB are needed in $folder, $free bytes are free"
  exit 0
fi

# Downloads wheels for Python 3.12 on Linux without installing anything, then unpacks them.
environment() {
  local name=$1 packages=$folder/$1/lib/python3.12/site-packages
  shift
  [[ ! -d $packages ]] || return 0
  mkdir -p "$folder/wheels" "$packages.part"
  local platforms=() platform
  for platform in manylinux2010 manylinux2014 manylinux_2_17 manylinux_2_27 manylinux_2_28 manylinux_2_31; do
    platforms+=(--platform "${platform}_x86_64")
  done
  python3 -m pip download --quiet --no-deps --only-binary=:all: --python-version 3.12 "${platforms[@]}" \
    --dest "$folder/wheels" "$@"
  local requirement file
  for requirement in "$@"; do
    # Files of wheels write `_` for `-` in names.
    file=${requirement%%==*}
    file=${file//-/_}-${requirement##*==}
    python3 -m zipfile --extract "$(compgen -G "$folder/wheels/$file-*.whl" | head -1)" "$packages.part"
  done
  mv "$packages.part" "$packages"
  echo "made $name"
}

mapfile -t pinned < <(python3 tests/real-wheels/pinned.py)
mapfile -t nvidia < <(printf '%s\n' "${pinned[@]}" | grep '^nvidia-')
environment torch-2.9.1 "${pinned[@]}"
environment torch-2.8.0 torch==2.8.0 "$(printf '%s\n' "${pinned[@]}" | grep '^xformers==')" "${nvidia[@]}"

for name in torch-2.9.1 torch-2.8.0; do
  # 2 is the answer where errors are found, and both have some: kaolin is not a wheel.
  "$trellis" doctor --env "$folder/$name" --capability 12.0 --json >"$folder/$name.json" || (($? == 2))
done
# Twice: the first run read the files from disk.
TIMEFORMAT='%R s'
{ time "$trellis" doctor --env "$folder/torch-2.9.1" --capability 12.0 --json >/dev/null || true; } 2>"$folder/seconds"
python3 tests/real-wheels/judge.py "$folder" "$(<"$folder/seconds")"
