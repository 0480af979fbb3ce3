# `nix flake check`: every package and shell, and each file of nix/checks.
{
  inputs,
  lib,
  pkgs,
  pkgsCuda,
  craneLib,
  rust,
  packages,
  programs,
  formatter,
  devShells,
  hasGpu,
}:
let
  callCheck = lib.callPackageWith (
    pkgs
    // {
      inherit
        inputs
        craneLib
        rust
        packages
        formatter
        programs
        ;
      cudaHome = pkgsCuda.trellisCudaHome;
    }
  );
  ofGpuOutputs = [
    "cuda-home.nix"
    "examples.nix"
    "overlays.nix"
    "python.nix"
  ];
  ofFolder =
    lib.mapAttrs'
      (file: _: lib.nameValuePair (lib.removeSuffix ".nix" file) (callCheck (./checks + "/${file}") { }))
      (
        lib.filterAttrs (
          file: _: lib.hasSuffix ".nix" file && (hasGpu || !lib.elem file ofGpuOutputs)
        ) (builtins.readDir ./checks)
      );
  # What cannot be built without a model folder of one's own is no check.
  buildable = removeAttrs packages [
    "default"
    "models-trellis-image-large"
  ];
in
lib.mapAttrs' (name: lib.nameValuePair "package-${name}") buildable
// lib.mapAttrs' (name: lib.nameValuePair "shell-${name}") devShells
// ofFolder
