# clippy over every target, warnings as errors.
{
  craneLib,
  rust,
}:
craneLib.cargoClippy (
  rust.common
  // {
    cargoArtifacts = rust.dependencies;
    cargoClippyExtraArgs = "--all-targets -- --deny warnings";
  }
)
