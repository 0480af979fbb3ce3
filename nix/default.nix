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
  page = pkgs.callPackage ./page.nix { };
  server-preview = pkgs.callPackage ./server-preview.nix { inherit craneLib rust page; };
  docs = pkgs.callPackage ./docs.nix { };

  models = pkgsCuda.callPackage ./models.nix { };
  python-env = pkgsCuda.trellisPythonEnv.override {
    doctor = server-preview;
    inherit capabilities;
  };
  environmentWith =
    withModels:
    pkgsCuda.callPackage ./environment.nix {
      inherit models python-env withModels;
      cudaPackages = pkgsCuda.trellisCudaPackages;
    };
  serverWith =
    withModels:
    pkgsCuda.callPackage ./server.nix {
      inherit server-preview python-env models;
      environment = environmentWith withModels;
    };
  server = serverWith true;
  server-bare = serverWith false;
  image = pkgsCuda.callPackage ./image.nix { inherit server-bare; };
  # The same for cards of other capabilities.
  serversForCards = lib.mapAttrs (
    _: card:
    (import ./. {
      inherit inputs system;
      cudaCapabilities = card.capabilities;
    }).packages.server
  ) (removeAttrs pins.cuda.packages [ "server" ]);

  packages = {
    inherit server-preview docs page;
    default = server-preview;
  }
  // lib.optionalAttrs hasGpu {
    inherit
      server
      server-bare
      python-env
      image
      ;
    default = server;
    inherit (python-env.python.pkgs)
      torch
      xformers
      kaolin
      nvdiffrast
      diff-gaussian-rasterization
      diffoctreerast
      trellis
      ;
    models-trellis-image-large = models.trellis-image-large;
    models-dinov2 = models.dinov2.torchHome;
    models-u2net = models.u2net;
  }
  // lib.optionalAttrs hasGpu serversForCards;

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
    inherit python-env;
    environment = environmentWith false;
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
      models
      environmentWith
      formatter
      devShells
      hasGpu
      ;
  };
}
