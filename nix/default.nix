# Everything the flake puts out for one system. Two package sets: a plain one, without CUDA and
# without unfree packages, for the preview server; and one with our overlays for the rest.
{
  inputs,
  system,
  cudaCapabilities ? null,
}:
let
  inherit (inputs) nixpkgs;
  inherit (nixpkgs) lib;
  pins = lib.importJSON ./pins.json;
  capabilities = if cudaCapabilities == null then pins.cuda.capabilities else cudaCapabilities;
  hasGpu = system == "x86_64-linux";

  pkgs = nixpkgs.legacyPackages.${system};
  pkgsCuda = import nixpkgs {
    inherit system;
    overlays = [ (import ../overlays { inherit inputs; }).default ];
    config = {
      # CUDA's own licences; nothing else here is unfree but nvdiffrast and the Gaussian rasteriser.
      allowUnfree = true;
      # Not `cudaSupport`: it would rebuild OpenCV and onnxruntime, which TRELLIS uses on the CPU, with
      # another CUDA release than torch's. What needs CUDA has it by the overlays.
      cudaCapabilities = capabilities;
    };
  };

  craneLib = inputs.crane.mkLib pkgs;
  rust = pkgs.callPackage ./rust.nix { inherit craneLib; };
  server-preview = pkgs.callPackage ./server-preview.nix { inherit craneLib rust; };
  docs = pkgs.callPackage ./docs.nix { };

  models = pkgsCuda.callPackage ./models.nix { };
  python-env = pkgsCuda.trellisPythonEnv.override {
    doctor = server-preview;
    capability = lib.head capabilities;
  };
  environment = pkgsCuda.callPackage ./environment.nix { inherit models python-env; };
  server = pkgsCuda.callPackage ./server.nix { inherit server-preview python-env environment; };
  image = pkgsCuda.callPackage ./image.nix { inherit server; };

  packages = {
    inherit server-preview docs;
    default = server-preview;
  }
  // lib.optionalAttrs hasGpu {
    inherit server python-env image;
    default = server;
    inherit (python-env.python.pkgs)
      torch
      xformers
      kaolin
      trellis
      ;
    models-trellis-image-large = models.trellis-image-large;
  };

  inherit (import ./apps.nix { inherit lib pkgs packages; }) apps programs;
  # Bare `nix fmt` formats the whole tree; `nixfmt` alone would wait for standard input.
  formatter = pkgs.nixfmt-tree;

  devShells = import ./devshells.nix {
    inherit
      lib
      pkgs
      pkgsCuda
      craneLib
      hasGpu
      ;
    inherit (packages) server-preview;
    inherit python-env environment;
  };
in
{
  inherit
    pins
    packages
    devShells
    ;
  inherit apps formatter;
  checks = import ./checks.nix {
    inherit
      inputs
      lib
      pkgs
      pkgsCuda
      craneLib
      rust
      packages
      programs
      formatter
      devShells
      hasGpu
      ;
  };
}
