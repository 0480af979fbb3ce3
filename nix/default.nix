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

  models = pkgsCuda.callPackage ./models.nix { inherit server-preview; };
  python-env = pkgsCuda.trellisPythonEnv.override {
    doctor = server-preview;
    inherit capabilities;
  };
  python-env-trellis2 = pkgsCuda.trellis2PythonEnv.override {
    doctor = server-preview;
    inherit capabilities;
  };
  # Type: { models ? [ String ], withModels ? Bool } -> AttrSet. By the models' names in parameters.
  environmentWith =
    {
      models ? [ "trellis-image-large" ],
      withModels ? true,
    }:
    let
      of = name: env: if lib.elem name models then env else null;
    in
    pkgsCuda.callPackage ./environment.nix {
      models = modelFolders;
      inherit withModels;
      python-env = of "trellis-image-large" python-env;
      python-env-trellis2 = of "trellis2-4b" python-env-trellis2;
      cudaPackages = pkgsCuda.trellisCudaPackages;
    };
  modelFolders = models;
  serverWith =
    arguments:
    pkgsCuda.callPackage ./server.nix {
      inherit server-preview models;
      environment = environmentWith arguments;
    };
  server = serverWith { };
  server-bare = serverWith { withModels = false; };
  server-trellis2 = serverWith { models = [ "trellis2-4b" ]; };
  server-both = serverWith {
    models = [
      "trellis-image-large"
      "trellis2-4b"
    ];
  };
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
      server-both
      server-trellis2
      python-env
      python-env-trellis2
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
      cumesh
      flex-gemm
      o-voxel
      trellis2
      ;
    models-trellis-image-large = models.trellis-image-large;
    models-trellis2-4b = models.trellis2-4b;
    models-dinov2 = models.dinov2.torchHome;
    models-dinov3 = models.dinov3;
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
    environment = environmentWith { withModels = false; };
  };
in
{
  inherit
    pins
    packages
    devShells
    serverWith
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
