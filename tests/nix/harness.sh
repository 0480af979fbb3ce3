# shellcheck shell=bash
# To be sourced by tests that evaluate the flake on a machine without nixpkgs: a harness stands in for it,
# its folder in TRELLIS_NIX_HARNESS (else ../shared/nix-harness is tried), its snapshots in MIRROR.
harness=${TRELLIS_NIX_HARNESS:-../shared/nix-harness}

has_harness() {
  [[ -x $harness/eval-flake && -n ${MIRROR:-} ]]
}

# evaluate_flake: a line for every output. evaluate_module CONFIG: what the NixOS module makes of it, as
# JSON; on stderr why it is refused.
evaluate_flake() {
  "$harness/eval-flake" "$PWD"
}
evaluate_module() {
  "$harness/eval-flake" "$PWD" --module default --module-config "$1"
}
