{
  description = "trellis-server: Microsoft TRELLIS as a service, with everything it runs on pinned";

  inputs = {
    # Everything that is not below. The release has CUDA 12.8 and a Rust new enough for edition 2024.
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";
    # Builds the dependencies of the Rust program once, apart from its own code.
    crane.url = "github:ipetkov/crane";

    # Sources only: no flake of theirs is evaluated. Which revisions: nix/pins.json and flake.lock,
    # moved together by nix/update-pins; a test compares the two.
    trellis-src = {
      url = "github:microsoft/TRELLIS";
      flake = false;
    };
    # TRELLIS's submodule: a github input carries none.
    flexicubes-src = {
      url = "github:MaxtirError/FlexiCubes";
      flake = false;
    };
    # The git inputs below are locked by revision alone, git's own content hash: no cache can serve them.
    # `shallow` fetches that one commit instead of the whole history.
    kaolin-src = {
      url = "git+https://github.com/NVIDIAGameWorks/kaolin?shallow=1";
      flake = false;
    };
    nvdiffrast-src = {
      url = "git+https://github.com/NVlabs/nvdiffrast?shallow=1";
      flake = false;
    };
    diffoctreerast-src = {
      url = "github:JeffreyXiang/diffoctreerast";
      flake = false;
    };
    # diffoctreerast's submodule; the Gaussian rasteriser carries its own copy.
    glm-src = {
      url = "github:g-truc/glm";
      flake = false;
    };
    # Of this, only submodules/diff-gaussian-rasterization.
    mip-splatting-src = {
      url = "git+https://github.com/autonomousvision/mip-splatting?shallow=1";
      flake = false;
    };
    # The revision that TRELLIS's own set-up names.
    utils3d-src = {
      url = "github:EasternJournalist/utils3d";
      flake = false;
    };
    # TRELLIS.2 with o-voxel, and what they compute with. Submodules, Eigen and cuBVH, are covered by the revision.
    trellis2-src = {
      url = "git+https://github.com/microsoft/TRELLIS.2?shallow=1&submodules=1";
      flake = false;
    };
    cumesh-src = {
      url = "git+https://github.com/JeffreyXiang/CuMesh?shallow=1&submodules=1";
      flake = false;
    };
    flex-gemm-src = {
      url = "github:JeffreyXiang/FlexGEMM";
      flake = false;
    };
    # The code that TRELLIS would fetch through torch.hub at run time.
    dinov2-src = {
      url = "github:facebookresearch/dinov2";
      flake = false;
    };
  };

  outputs =
    inputs@{ self, nixpkgs, ... }:
    let
      inherit (nixpkgs) lib;
      eachSystem = lib.genAttrs [
        "x86_64-linux"
        "aarch64-linux"
      ];
      # The GPU outputs exist where the pinned wheels do.
      gpuSystem = "x86_64-linux";
      plain = system: import ./nix { inherit inputs system; };
      ours = eachSystem plain;
    in
    {
      packages = eachSystem (system: ours.${system}.packages);
      apps = eachSystem (system: ours.${system}.apps);
      devShells = eachSystem (system: ours.${system}.devShells);
      checks = eachSystem (system: ours.${system}.checks);
      formatter = eachSystem (system: ours.${system}.formatter);

      overlays = import ./overlays { inherit inputs; };
      nixosModules.default = import ./nix/module.nix { inherit self; };

      templates.default = {
        path = ./nix/template;
        description = "A NixOS machine with trellis-server and an RTX 50";
      };

      # The server for a set of cards or of models that no package is for, such as a machine with two generations.
      lib.mkServer =
        {
          cudaCapabilities ? ours.${gpuSystem}.pins.cuda.capabilities,
          models ? [ "trellis-image-large" ],
        }:
        (import ./nix {
          inherit inputs cudaCapabilities;
          system = gpuSystem;
        }).serverWith
          { inherit models; };
    };
}
