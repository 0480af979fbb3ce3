# The interpreter with a model's inference, GLB export and the worker; nothing else. The only place
# that turns the list the overlays add to into an interpreter, so their order does not matter.
{
  lib,
  pkgs,
  trellisPins,
  trellisPythonExtensions,

  # The package that runs the model: `trellis` or `trellis2`.
  model ? "trellis",
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
    python.pkgs.${model}
    (python.pkgs.trellis-worker.override { trellis = python.pkgs.${model}; })
  ];
  # An environment whose libraries do not fit each other, or hold nothing for the card, is not made.
  postBuild = lib.optionalString (doctor != null) (
    lib.concatMapStrings (capability: ''
      ${lib.getExe doctor} doctor --env "$out" --capability ${capability}
    '') capabilities
  );
}).overrideAttrs
  (previous: {
    name = "${model}-python-env";
    passthru = (previous.passthru or { }) // {
      inherit python capabilities;
      capability = lib.head capabilities;
    };
    meta = (previous.meta or { }) // {
      description = "Python environment of the worker for ${model}";
      platforms = [ "x86_64-linux" ];
    };
  })
