#!/usr/bin/env bash
# The environment that the wrapper sets, as it is evaluated: passes shellcheck as it must when the package is
# built, and sets what it should in a service, in a user's session and where there is neither.
#
# Exit codes: 0 all is well, 1 something is not, 77 nothing could be evaluated here, after `skipped: why`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=tests/nix/harness.sh
. tests/nix/harness.sh
has_harness || {
  echo "skipped: no evaluation harness is here (TRELLIS_NIX_HARNESS and MIRROR)"
  exit 77
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
wrong() {
  printf 'FAILED %s\n' "$*"
  failed=1
}

cat >"$work/config.nix" <<'NIX'
{ config, ... }:
let
  inherit (config.services.trellis-server.package) environment;
  bare = environment.override { withModels = false; };
in
{
  services.trellis-server.enable = true;
  warnings = [
    ("with-models " + environment.script)
    ("bare " + bare.script)
  ];
}
NIX
evaluate_module "$work/config.nix" >"$work/report"
python3 - "$work" <<'PYTHON'
import json, pathlib, sys

work = pathlib.Path(sys.argv[1])
for warning in json.loads((work / "report").read_text())["warnings"]:
    name, _, script = warning.partition(" ")
    if name in ("with-models", "bare"):
        (work / f"{name}.sh").write_text(f"#!/usr/bin/env bash\nset -euo pipefail\n{script}\n")
PYTHON

# after FORM NAME=VALUE...: what the script exports when it starts with these variables alone.
# shellcheck disable=SC2016 # for the inner shell to expand
after() {
  env -i PATH="$PATH" "${@:2}" bash -c '. "$1" && env' - "$work/$1.sh"
}
expect() { # WHAT LINE FILE
  grep -qxE -- "$2" "$3" || wrong "$1: no line $2"
}

for form in with-models bare; do
  [[ -s $work/$form.sh ]] || { wrong "$form: not evaluated" && continue; }
  ! command -v shellcheck >/dev/null || shellcheck "$work/$form.sh" || wrong "$form: shellcheck"

  after "$form" STATE_DIRECTORY="$work/state" CACHE_DIRECTORY="$work/cache" >"$work/service"
  for variable in CUDA_CACHE_PATH=cuda WARP_CACHE_PATH=warp NUMBA_CACHE_DIR=numba TRITON_CACHE_DIR=triton; do
    expect "$form in a service" "${variable%=*}=$work/cache/${variable#*=}" "$work/service"
  done
  expect "$form" 'CC=/nix/store/.*/bin/cc' "$work/service"
  expect "$form" 'TRITON_PTXAS_PATH=/nix/store/.*cuda_nvcc.*/bin/ptxas' "$work/service"
  expect "$form" 'TRITON_LIBDEVICE_PATH=/nix/store/.*cuda_nvcc.*\.bc' "$work/service"
  expect "$form" 'TRITON_CUDA(CRT|RT)_PATH=/nix/store/.*/include' "$work/service"
  expect "$form" 'PYTORCH_ALLOC_CONF=expandable_segments:True' "$work/service"

  # What the user says wins, but for what must hold.
  after "$form" HOME="$work/home" ATTN_BACKEND=sdpa CUDA_CACHE_PATH=/mine HF_HUB_OFFLINE=0 >"$work/user"
  expect "$form, the user's own" 'ATTN_BACKEND=sdpa' "$work/user"
  expect "$form, the user's own" 'CUDA_CACHE_PATH=/mine' "$work/user"
  expect "$form, the user's own" 'HF_HUB_OFFLINE=1' "$work/user"
  expect "$form, the user's own" "NUMBA_CACHE_DIR=$work/home/.local/share/trellis-server/cache/numba" "$work/user"

  after "$form" >"$work/nobody" || wrong "$form: fails without a home"
done

after with-models HOME="$work/home" TRELLIS_MODEL_PATH=/srv/model >"$work/own"
expect "a model of one's own" 'TRELLIS_MODEL_PATH=/srv/model' "$work/own"
after with-models HOME="$work/home" >"$work/models"
for variable in TRELLIS_MODEL_PATH TORCH_HOME U2NET_HOME; do
  expect "with models" "$variable=/nix/store/.*" "$work/models"
done
after bare HOME="$work/home" >"$work/models"
expect bare "TRELLIS_MODEL_PATH=$work/home/.local/share/trellis-server/models/TRELLIS-image-large" "$work/models"
expect bare "TORCH_HOME=$work/home/.local/share/trellis-server/models/torch" "$work/models"
[[ -L $work/home/.local/share/trellis-server/models/torch/hub/facebookresearch_dinov2_main ]] ||
  wrong "bare: DINOv2's code is not where torch.hub looks"

((failed == 0)) && echo "the wrapper's environment is as it should be"
exit "$failed"
