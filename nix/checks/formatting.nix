# Rust and Nix files are formatted.
{
  lib,
  runCommand,
  cargo,
  rustfmt,
  nixfmt,
  rust,
}:
let
  root = ../../.;
  nixFiles = lib.fileset.toSource {
    inherit root;
    fileset = lib.fileset.fileFilter (file: file.hasExt "nix") root;
  };
in
runCommand "formatting"
  {
    nativeBuildInputs = [
      cargo
      rustfmt
      nixfmt
    ];
  }
  ''
    cd ${rust.common.src}
    cargo fmt --all --check
    find ${nixFiles} -name '*.nix' -exec nixfmt --check {} +
    touch "$out"
  ''
