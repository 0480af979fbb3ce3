#!/usr/bin/env bash
# The supervised worker on a real NVIDIA GPU: what the server says of the GPU, VRAM figures, a true
# out-of-memory error, a killed worker, jobs in a row. TRELLIS itself is the stand-in of tests/fake_trellis with
# the real torch, so no model is needed.
#
#   tests/gpu/run.sh [TRELLIS]     TRELLIS: the program (default: target/release/trellis)
#
# Needs python3 with torch and safetensors, and nvidia-smi. Exit codes: 0 all is well, 1 something is not,
# 77 it cannot run here, with a line `skipped: why`.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
trellis=$(realpath -m "${1:-$here/../../target/release/trellis}")

skip() {
  echo "skipped: $*"
  exit 77
}
nvidia-smi -L >/dev/null 2>&1 || skip "no NVIDIA GPU is here"
python3 -c 'import safetensors, torch, sys; sys.exit(not torch.cuda.is_available())' 2>/dev/null ||
  skip "python3 has no torch with CUDA and safetensors"
[[ -x $trellis ]] || skip "$trellis is not there: build it with cargo build --release -p trellis-cli"

exec python3 "$here/check.py" "$trellis" "$here"
