#!/usr/bin/env bash
# The supervised worker on a real NVIDIA GPU: what the server says of the GPU, VRAM figures, a true
# out-of-memory error, a killed worker, jobs in a row. TRELLIS itself is the stand-in of tests/fake_trellis with
# the real torch, so no model is needed.
#
#   tests/gpu/run.sh [--env PYTHON] [TRELLIS]
#
# PYTHON: the interpreter of a ready environment (default: python3); it needs torch and safetensors.
# TRELLIS: the program (default: target/release/trellis). Exit codes: 0 all is well, 1 something is not,
# 77 it cannot run here, with a line `skipped: why`.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/gpu/common.sh
. "$here/common.sh"
arguments "$@"
gpu_or_skip

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fake=$here/../fake_trellis
launcher "$work/python" "$fake:$fake/without_libs"
"$PYTHON" "$here/check.py" "$trellis" "$work/python"
