# Each overlay works alone on a plain nixpkgs, and leaves the packages of that nixpkgs as they were.
{
  lib,
  inputs,
  stdenv,
  writeText,
}:
let
  overlays = import ../../overlays { inherit inputs; };
  plain = import inputs.nixpkgs {
    inherit (stdenv.hostPlatform) system;
    config.allowUnfree = true;
  };

  # What each brings to the interpreter.
  brings = {
    cuda = [ ];
    torch = [
      "torch"
      "torchvision"
      "triton"
    ];
    xformers = [ "xformers" ];
    kaolin = [ "kaolin" ];
    spconv = [ "spconv" ];
    extensions = [
      "nvdiffrast"
      "diff-gaussian-rasterization"
      "diffoctreerast"
    ];
    python-extras = [
      "xatlas"
      "fast-simplification"
      "pymeshfix"
      "warp-lang"
      "utils3d"
    ];
    trellis = [ "trellis" ];
    trellis2 = [
      "cumesh"
      "flex-gemm"
      "o-voxel"
      "trellis2"
      "transformers"
    ];
    default = [
      "trellis-worker"
      "trellis2"
    ];
  };

  evaluated = lib.mapAttrs (
    name: overlay:
    let
      pkgs = plain.extend overlay;
      untouched = pkgs.python3.pkgs.numpy.drvPath == plain.python3.pkgs.numpy.drvPath;
      paths = map (
        package: builtins.unsafeDiscardStringContext pkgs.trellisPythonEnv.python.pkgs.${package}.drvPath
      ) brings.${name};
    in
    if untouched then paths else throw "overlay ${name} changes python3Packages of the user's nixpkgs"
  ) overlays;
in
writeText "overlays.json" (builtins.toJSON evaluated)
