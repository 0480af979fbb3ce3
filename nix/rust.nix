# The Rust workspace: its source, and its dependencies built once for the package, and once for clippy and
# the tests.
{
  lib,
  craneLib,
}:
let
  root = ../.;
  # A positive list: an edit elsewhere rebuilds nothing. tests/it/filesets.rs of trellis-pins compares it
  # with what the sources include.
  fileset = lib.fileset.unions [
    (root + "/Cargo.toml")
    (root + "/Cargo.lock")
    (root + "/clippy.toml")
    (root + "/rustfmt.toml")
    (root + "/crates")
    # Embedded by the doctor.
    (root + "/nix/pins.json")
    # Carried by the binary, which writes it out for the interpreter.
    (root + "/worker/trellis_worker")
  ];
  # What tests include when they are compiled, and what clippy compiles with them.
  testsFileset = lib.fileset.unions [
    fileset
    (root + "/docs")
    (root + "/README.md")
    (root + "/SECURITY.md")
  ];
  manifest = lib.importTOML (root + "/Cargo.toml");
  common = {
    pname = "trellis";
    inherit (manifest.workspace.package) version;
    src = lib.fileset.toSource { inherit root fileset; };
    strictDeps = true;
  };
  # The one program of the workspace.
  program = common // {
    cargoExtraArgs = "--locked --package trellis-cli";
  };
in
common
// {
  inherit
    common
    program
    fileset
    testsFileset
    ;
  testsSource = lib.fileset.toSource {
    inherit root;
    fileset = testsFileset;
  };
  # For the package: a release build of what it links. crane's default also checks every target and builds
  # the tests, three quarters of the time, for nobody.
  dependencies = craneLib.buildDepsOnly (
    program
    // {
      buildPhaseCargoCommand = "cargoWithProfile build ${program.cargoExtraArgs}";
      doCheck = false;
    }
  );
  # For clippy and the tests: every target, with what only tests depend on.
  testsDependencies = craneLib.buildDepsOnly (common // { pname = "trellis-tests"; });
}
