# The Rust workspace: its source, and its dependencies built once for package, clippy and tests.
{
  lib,
  craneLib,
}:
let
  root = ../.;
  # A positive list: an edit elsewhere rebuilds nothing.
  fileset = lib.fileset.unions [
    (root + "/Cargo.toml")
    (root + "/Cargo.lock")
    (root + "/clippy.toml")
    (root + "/rustfmt.toml")
    (root + "/crates")
    # Embedded by the doctor.
    ./pins.json
    # Carried by the binary, which writes it out for the interpreter.
    (root + "/worker/trellis_worker")
  ];
  manifest = lib.importTOML (root + "/Cargo.toml");
  common = {
    pname = "trellis";
    inherit (manifest.workspace.package) version;
    src = lib.fileset.toSource { inherit root fileset; };
    strictDeps = true;
  };
in
common
// {
  inherit common fileset;
  dependencies = craneLib.buildDepsOnly common;
}
