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
  models,
  environmentWith,
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
        models
        environmentWith
        ;
      cudaHome = pkgsCuda.trellisCudaHome;
    }
  );
  ofGpuOutputs = [
    "cards.nix"
    "cuda-home.nix"
    "environment.nix"
    "examples.nix"
    "models.nix"
    "overlays.nix"
    "python.nix"
  ];
  ofFolder =
    lib.mapAttrs'
      (file: _: lib.nameValuePair (lib.removeSuffix ".nix" file) (callCheck (./checks + "/${file}") { }))
      (
        lib.filterAttrs (file: _: lib.hasSuffix ".nix" file && (hasGpu || !lib.elem file ofGpuOutputs)) (
          builtins.readDir ./checks
        )
      );
  # Evaluated only (nix/checks/cards.nix, models.nix): whoever checks a change need not fetch gigabytes of
  # weights, nor compile every extension once more for each card.
  buildable = lib.filterAttrs (
    name: _:
    name == "server-bare"
    || name == "server-preview"
    || !lib.any (prefix: lib.hasPrefix prefix name) [
      "default"
      "models-"
      "server"
    ]
  ) packages;
in
lib.mapAttrs' (name: lib.nameValuePair "package-${name}") buildable
// lib.mapAttrs' (name: lib.nameValuePair "shell-${name}") devShells
// ofFolder
