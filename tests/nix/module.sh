#!/usr/bin/env bash
# The NixOS module, evaluated. What it makes of every example and of tests/nix/module/*.nix is compared
# with tests/nix/module/NAME.units, word by word, and the options with docs/nixos-options.md (UPDATE=1 writes
# both again: read the difference). The program, if it is built or in TRELLIS_BIN, checks each settings file,
# and `systemd-analyze security` rates each unit, where it is there (package systemd). What is wrong,
# tests/nix/module/wrong-*.nix, must be refused with each line of its .refused file.
#
# Exit codes: 0 all is well, 1 something is not, 77 nothing could be evaluated here, after `skipped: why`.
# With a real nixpkgs, `nix flake check` evaluates the examples (nix/checks/examples.nix).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=tests/nix/harness.sh
. tests/nix/harness.sh
has_harness || {
  echo "skipped: no evaluation harness is here (TRELLIS_NIX_HARNESS and MIRROR)"
  exit 77
}

# The most that a form may be exposed, in tenths.
most_preview=20 most_gpu=30

program=${TRELLIS_BIN:-${CARGO_TARGET_DIR:-target}/debug/trellis}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
wrong() {
  printf 'FAILED %s\n' "$*"
  failed=1
}

# exposure FOLDER: what systemd says of the unit in it, such as 0.4.
exposure() {
  systemd-analyze security --offline=true --no-pager "$1/trellis-server.service" 2>/dev/null |
    sed -n 's/.*Overall exposure level for .*: \([0-9.]*\) .*/\1/p'
}

rate() { # NAME FOLDER
  local found most=$most_gpu row=TRELLIS
  command -v systemd-analyze >/dev/null || return 0
  ! grep -q '^PrivateDevices=true' "$2/trellis-server.service" ||
    { most=$most_preview && row=preview; }
  found=$(exposure "$2")
  [[ $found =~ ^[0-9]+\.[0-9]$ ]] || { wrong "$1: systemd-analyze says nothing of its unit" && return; }
  ((10#${found/./} <= most)) || wrong "$1: exposed by $found, more than ${most}/10"
  # What the page says was measured with this systemd; others judge a little differently.
  [[ ! $(systemd-analyze --version) =~ ^systemd\ (252|257)\  ]] || grep -q "^| $row .* | $found |$" docs/nixos.md ||
    wrong "$1: docs/nixos.md has another exposure than $found"
  printf 'exposure %s %s\n' "$found" "$1"
}

# Those of the five machines that run the service.
machines=nix/examples/five-machines/machines.nix
for machine in api gpu-1; do
  printf '(%s).%s' "$(<"$machines")" "$machine" >"$work/five-machines-$machine.nix"
done

for config in nix/examples/*.nix "$work"/*.nix tests/nix/module/*.nix; do
  name=$(basename "$config" .nix)
  [[ $name != wrong-* ]] || continue
  mkdir "$work/$name"
  if ! evaluate_module "$config" >"$work/report" 2>"$work/refusal"; then
    wrong "$name: $(grep -v '^note ' "$work/refusal")"
    continue
  fi
  tests/nix/units.py show <"$work/report" >"$work/units"
  if [[ -n ${UPDATE:-} ]]; then
    cp "$work/units" "tests/nix/module/$name.units"
  else
    diff -u "tests/nix/module/$name.units" "$work/units" || wrong "$name: not as in $name.units"
  fi
  tests/nix/units.py write "$work/$name" <"$work/report"
  [[ ! -x $program ]] || "$program" config check "$work/$name/trellis.toml" >"$work/said" 2>&1 ||
    wrong "$name: $(<"$work/said")"
  rate "$name" "$work/$name"
done

# Of the last configuration: the options are the same for all.
tests/nix/units.py options <"$work/report" | nix/options-doc.py >"$work/options"
[[ -z ${UPDATE:-} ]] || cp "$work/options" docs/nixos-options.md
diff -u docs/nixos-options.md "$work/options" || wrong "docs/nixos-options.md is not as nix/module has it"

for config in tests/nix/module/wrong-*.nix; do
  name=$(basename "$config" .nix)
  if evaluate_module "$config" >/dev/null 2>"$work/refusal"; then
    wrong "$name: not refused"
    continue
  fi
  while IFS= read -r line; do
    grep -qF -- "$line" "$work/refusal" || wrong "$name: refused without saying: $line"$'\n'"$(<"$work/refusal")"
  done <"${config%.nix}.refused"
  printf 'refused %s\n' "$name"
done

[[ -x $program ]] || echo "skipped: the settings files, $program is not built"
command -v systemd-analyze >/dev/null || echo "skipped: the exposure, systemd-analyze is not here (package systemd)"
exit "$failed"
