# shellcheck shell=bash
# To be sourced by tests that evaluate the flake on a machine without nixpkgs: a harness stands in for it,
# its folder in TRELLIS_NIX_HARNESS (else ../shared/nix-harness is tried), its snapshots in MIRROR.
harness=${TRELLIS_NIX_HARNESS:-../shared/nix-harness}

has_harness() {
  [[ -x $harness/eval-flake && -n ${MIRROR:-} ]]
}

# evaluate_flake: a line for every output. evaluate_module CONFIG: what the NixOS module makes of it, as
# JSON; on stderr why it is refused. The settings file and the options are told in warnings: of what the
# harness prints, that is the part a configuration can write freely.
evaluate_flake() {
  "$harness/eval-flake" "$PWD"
}
evaluate_module() {
  local with_report
  with_report=$(mktemp)
  {
    printf '{ config, lib, options, ... }: { imports = [ ('
    cat "$1"
    printf ') ]; warnings = let ours = _: value: value != null; in ['
    printf '("settings " + builtins.toJSON (lib.filterAttrsRecursive ours config.services.trellis-server.settings))'
    printf '("options " + builtins.toJSON (lib.optionAttrSetToDocList options.services.trellis-server))'
    printf ']; }'
  } >"$with_report"
  local status=0
  "$harness/eval-flake" "$PWD" --module default --module-config "$with_report" || status=$?
  rm "$with_report"
  return "$status"
}
