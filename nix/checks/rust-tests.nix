# The workspace's tests, with the dependencies built already.
{
  lib,
  craneLib,
  rust,
  curl,
  python3,
  util-linux,
}:
let
  root = ../../.;
in
craneLib.cargoTest (
  rust.common
  // {
    cargoArtifacts = rust.testsDependencies;
    # Tests compare documents, pins and Nix files with the program, and start the worker's stand-in.
    src = lib.fileset.toSource {
      inherit root;
      fileset = lib.fileset.unions [
        rust.testsFileset
        (root + "/Makefile")
        (root + "/samples")
        (root + "/flake.lock")
        (root + "/flake.nix")
        (root + "/nix")
        (root + "/overlays")
        (root + "/tests/fake_trellis")
      ];
    };
    nativeCheckInputs = [
      curl
      python3
      util-linux
    ];
  }
)
