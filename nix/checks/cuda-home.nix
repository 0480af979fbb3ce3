# The folder that CUDA extensions are compiled against has the output of each package in which its headers
# are. Evaluated: which files the outputs hold is only known once they are built (nix/cuda-home.nix looks).
{
  lib,
  cudaHome,
  writeText,
}:
let
  paths = map toString cudaHome.paths;
  absent = lib.filterAttrs (
    _: part: !lib.elem (toString (lib.getInclude part)) paths
  ) cudaHome.headers;
in
if absent == { } then
  writeText "cuda-home.json" (builtins.toJSON (lib.attrNames cudaHome.headers))
else
  throw "the CUDA home lacks the outputs with ${lib.concatStringsSep ", " (lib.attrNames absent)}"
