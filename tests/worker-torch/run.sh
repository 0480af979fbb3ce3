#!/usr/bin/env bash
# The worker with the real torch, on the CPU: true checkpoints, damaged ones, memory that does not suffice,
# determinism. TRELLIS is the stand-in of tests/fake_trellis, and with the variables below its own code too.
#
#   tests/worker-torch/run.sh              with the environment that TRELLIS_TORCH_ENV names: a virtual
#                                          environment, or a folder with lib/python3.x/site-packages
#   tests/worker-torch/run.sh --install    makes one of the pinned wheels, with hashes, and keeps it in the
#                                          user's cache: 5 GB of downloads, 10 GB of disk. TRELLIS_WHEELS names
#                                          a folder with wheels that need no download
#
# TRELLIS_SOURCE, FLEXICUBES_SOURCE, UTILS3D_SOURCE: checkouts of microsoft/TRELLIS, of its submodule and of
# EasternJournalist/utils3d. TRELLIS2_SOURCE: one of microsoft/TRELLIS.2, for whose whole way the environment needs
# transformers and easydict. TRELLIS_BIN: the server's program (default: built here in the profile `dev`; without
# cargo, that of an earlier build, or the test of a whole server is left out). Exit codes: 0 all is well, 1 something
# is not, 77 it cannot run here, with a line `skipped: why`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source tests/wheels/pinned.sh

cache=${XDG_CACHE_HOME:-$HOME/.cache}/trellis-server
environment=${TRELLIS_TORCH_ENV:-}
if [[ ${1:-} = --install ]]; then
  environment=$cache/torch-env
elif [[ -z $environment ]]; then
  skip "name an environment with \$TRELLIS_TORCH_ENV, or have one made: tests/worker-torch/run.sh --install"
fi
[[ $(uname -sm) = "Linux x86_64" ]] || skip "the pinned wheels are for Linux on x86_64"
python=$(pinned_python)
[[ -n $python ]] || skip "the pinned Python with venv is not installed"

if [[ ${1:-} = --install && "$(cat "$environment/pins" 2>/dev/null)" != "$(sha256sum <"$pins")" ]]; then
  mkdir -p "$cache"
  free_gb=$(df --output=avail -BG "$cache" | tail -n 1 | tr -dc 0-9)
  ((free_gb >= 15)) || skip "$cache has $free_gb GB free, and 15 are needed"
  wheels=${TRELLIS_WHEELS:-$cache/wheels}
  mkdir -p "$wheels"
  rm -rf "$environment"
  "$python" -m venv "$environment"
  pip() { "$environment/bin/python" -m pip --disable-pip-version-check --no-cache-dir "$@"; }
  requirements "$environment/all.txt" "$wheels"
  requirements "$environment/missing.txt" "$wheels" missing
  if [[ -s $environment/missing.txt ]]; then
    pip download --quiet --no-deps --require-hashes --only-binary :all: \
      --dest "$wheels" --requirement "$environment/missing.txt"
  fi
  pip install --quiet --no-index --find-links "$wheels" --no-deps --require-hashes --requirement "$environment/all.txt"
  sha256sum <"$pins" >"$environment/pins"
fi

packages=("$environment"/lib/python3.*/site-packages)
[[ -d ${packages[0]} ]] || skip "$environment holds no lib/python3.x/site-packages"
[[ ! -x $environment/bin/python ]] || python=$environment/bin/python
export TRELLIS_TEST_PACKAGES=${packages[0]} PYTHONPATH=${packages[0]} PYTHONDONTWRITEBYTECODE=1
"$python" -c 'import torch' || skip "$environment has no torch that $python can import"
if [[ -z ${TRELLIS_BIN:-} ]] && command -v cargo >/dev/null; then
  cargo build --quiet --package trellis-cli
  TRELLIS_BIN=$(realpath "${CARGO_TARGET_DIR:-target}/debug/trellis")
  export TRELLIS_BIN
fi
# The tensors here are small: on a busy machine, several threads wait for each other for minutes.
export OMP_NUM_THREADS=1
exec "$python" -m unittest discover --verbose --start-directory tests/worker-torch --top-level-directory tests/worker-torch
