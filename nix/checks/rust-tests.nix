# The workspace's tests, with the dependencies built already.
{
  craneLib,
  rust,
}:
craneLib.cargoTest (rust.common // { cargoArtifacts = rust.dependencies; })
