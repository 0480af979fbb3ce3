#!/usr/bin/env bash
# The Nix side: the driver look-up's tests; then every output of the flake is evaluated, and the
# outputs that docs/nix.md promises are all there. pins, lock and overlays are compared by the Rust
# tests of trellis-pins and trellis-closure.
#
# Evaluating takes nixpkgs, or a harness that stands in for it (tests/nix/harness.sh). Exit codes: 0 all is well, 1 something is not, 77 nothing could be evaluated here, with a line `skipped: why`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=tests/nix/harness.sh
. tests/nix/harness.sh

tests/nix/driver-libraries.sh
# The unit for a user's own systemd, with a program that is here.
if command -v systemd-analyze >/dev/null; then
  units=$(mktemp -d)
  sed "s|^ExecStart=%h[^ ]*|ExecStart=$(command -v true)|" nix/trellis-server.service >"$units/trellis-server.service"
  XDG_RUNTIME_DIR=$units systemd-analyze verify --user --man=no "$units/trellis-server.service"
  rm -r "$units"
fi

# KIND.NAME of everything that must be there.
promised=(
  packages.{default,server,server-bare,server-both,server-trellis2,server-ada,server-hopper,server-ampere,server-preview}
  packages.{python-env,python-env-trellis2,cumesh,flex-gemm,o-voxel,trellis2}
  packages.{torch,xformers,kaolin,nvdiffrast,diff-gaussian-rasterization,diffoctreerast,trellis}
  packages.{models-trellis-image-large,models-trellis2-4b,models-dinov2,models-dinov3,models-u2net,image,docs,page}
  apps.{default,server,doctor,generate}
  devShells.{default,cuda}
  overlays.{default,cuda,torch,xformers,kaolin,spconv,extensions,python-extras,trellis,trellis2}
  checks.{cards,cuda-home,environment,examples,models,outputs,python,formatting,overlays,rust-lints,rust-tests,scripts,vm,package-server-bare,shell-cuda}
  nixosModules.default
  templates.default
  formatter
)

output=$(mktemp)
trap 'rm -f "$output"' EXIT

if has_harness; then
  status=0
  evaluate_flake >"$output" || status=$?
  grep -v '^ok ' "$output" || true
elif command -v nix >/dev/null; then
  status=0
  nix --extra-experimental-features 'nix-command flakes' flake check --no-build --no-update-lock-file || status=$?
  # `show` prints a tree; the same names, as the harness prints them.
  nix --extra-experimental-features 'nix-command flakes' flake show --json --no-update-lock-file |
    python3 -c '
import json, sys
for kind, below in json.load(sys.stdin).items():
    below = below.get("x86_64-linux", below)
    print("ok", kind)
    for name in below if isinstance(below, dict) else ():
        print("ok", f"{kind}.{name}")' >"$output"
else
  echo "skipped: neither nix nor an evaluation harness is here (TRELLIS_NIX_HARNESS and MIRROR)"
  exit 77
fi

missing=0
for name in "${promised[@]}"; do
  grep -q "^ok $name\( \|$\)" "$output" || {
    printf 'FAILED %s is missing or does not evaluate\n' "$name"
    missing=1
  }
done

# What evaluates has the version that is pinned.
pinned() { python3 -c 'import json, sys; print(json.load(open("nix/pins.json"))[sys.argv[1]][sys.argv[2]]["version"])' "$@"; }
for pair in wheels.torch wheels.xformers sources.kaolin sources.trellis; do
  name=${pair#*.}
  grep "^ok packages.$name " "$output" | grep -q -- "-$name-$(pinned "${pair%.*}" "$name").drv" ||
    grep -q "^ok packages.$name$" "$output" || {
    printf 'FAILED packages.%s is not of the pinned version\n' "$name"
    missing=1
  }
done
((status == 0 && missing == 0))
