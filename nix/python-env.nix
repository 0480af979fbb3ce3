# The interpreter with TRELLIS's inference, GLB export and the worker; nothing else. The only place
# that turns the list the overlays add to into an interpreter, so their order does not matter.
{
  lib,
  pkgs,
  trellisPins,
  trellisPythonExtensions,

  # A package with `bin/trellis` that looks the finished environment over. Without one, the
  # environment is made unchecked.
  doctor ? null,
  capabilities ? trellisPins.cuda.capabilities,
}:
let
  python = pkgs.${trellisPins.python.nixpkgs}.override {
    self = python;
    packageOverrides = lib.composeManyExtensions trellisPythonExtensions;
  };
in
(python.buildEnv.override {
  extraLibs = [
    python.pkgs.trellis
    python.pkgs.trellis-worker
  ];
  # An environment whose libraries do not fit each other, or hold nothing for the card, is not made.
  postBuild = lib.optionalString (doctor != null) (
    lib.concatMapStrings (capability: ''
      ${lib.getExe doctor} doctor --env "$out" --capability ${capability}
    '') capabilities
  );
}).overrideAttrs
  (previous: {
    name = "trellis-python-env";
    passthru = (previous.passthru or { }) // {
      inherit python capabilities;
      capability = lib.head capabilities;
    };
    meta = (previous.meta or { }) // {
      description = "Python environment of the TRELLIS worker";
      platforms = [ "x86_64-linux" ];
    };
  })
