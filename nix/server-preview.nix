# The program with the embedded backend alone: no CUDA, nothing unfree.
{
  lib,
  craneLib,
  rust,
}:
craneLib.buildPackage (
  rust.common
  // {
    cargoArtifacts = rust.dependencies;
    cargoExtraArgs = "--locked --package trellis-cli";
    # Tests are a check of their own (nix/checks/rust-tests.nix).
    doCheck = false;
    meta = {
      description = "Makes 3D assets from pictures; this form has the embedded preview backend only";
      license = with lib.licenses; [
        mit
        asl20
      ];
      mainProgram = "trellis";
      platforms = lib.platforms.linux;
    };
  }
)
