# shellcheck shell=bash
# To be sourced by tests that evaluate the flake without nixpkgs: an evaluation harness stands in for
# it, its folder in TRELLIS_NIX_HARNESS (else ../shared/nix-harness is tried), its snapshots in MIRROR.
harness=${TRELLIS_NIX_HARNESS:-../shared/nix-harness}
if [[ ! -x $harness/eval-flake || -z ${MIRROR:-} ]]; then
  echo "skipped: no evaluation harness is here (TRELLIS_NIX_HARNESS and MIRROR)"
  exit 77
fi

# evaluate_module CONFIG: what the NixOS module makes of it, as JSON; on stderr why it is refused.
evaluate_module() {
  "$harness/eval-flake" "$PWD" --module default --module-config "$1"
}
