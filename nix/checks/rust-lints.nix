# clippy over every target, warnings as errors.
{
  craneLib,
  rust,
}:
craneLib.cargoClippy (
  rust.common
  // {
    src = rust.testsSource;
    cargoArtifacts = rust.testsDependencies;
    cargoClippyExtraArgs = "--all-targets -- --deny warnings";
  }
)
