# Shell scripts pass shellcheck, and the driver look-up passes its tests.
{
  lib,
  runCommand,
  shellcheck,
}:
let
  root = ../../.;
  scripts = lib.fileset.toSource {
    inherit root;
    fileset = lib.fileset.unions [
      ../driver-libraries.sh
      (root + "/tests/nix")
      (root + "/tests/nixos")
      (root + "/tests/wheels")
    ];
  };
in
runCommand "scripts" { nativeBuildInputs = [ shellcheck ]; } ''
  cd ${scripts}
  shellcheck --external-sources --shell=bash nix/driver-libraries.sh tests/{nix,nixos,wheels}/*.sh
  bash tests/nix/driver-libraries.sh
  touch "$out"
''
