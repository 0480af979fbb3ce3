{
  description = "trellis-server: Microsoft TRELLIS as a service, with everything it runs on pinned";

  inputs = {
    # Everything that is not below. The release has CUDA 12.8 and a Rust new enough for edition 2024.
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";
    # Builds the dependencies of the Rust program once, apart from its own code.
    crane.url = "github:ipetkov/crane";

    # Sources only: no flake of theirs is evaluated. Revisions are repeated in nix/pins.json, and a
    # test compares the two.
    trellis-src = {
      url = "github:microsoft/TRELLIS/6b0d64751ad54d9c32d7b05fec482eb29178f56f";
      flake = false;
    };
    # TRELLIS's submodule: a github input carries none.
    flexicubes-src = {
      url = "github:MaxtirError/FlexiCubes/815e075a2a400d06c48d94c347674344ed6ae5c5";
      flake = false;
    };
    # The git inputs below are locked by revision alone: git's own content hash.
    kaolin-src = {
      url = "git+https://github.com/NVIDIAGameWorks/kaolin?rev=06ffb7d955ca26b608c60a9e862327c56b226921";
      flake = false;
    };
    nvdiffrast-src = {
      url = "git+https://github.com/NVlabs/nvdiffrast?rev=253ac4fcea7de5f396371124af597e6cc957bfae";
      flake = false;
    };
    diffoctreerast-src = {
      url = "github:JeffreyXiang/diffoctreerast/b09c20b84ec3aace4729e6e18a613112320eca3a";
      flake = false;
    };
    # diffoctreerast's submodule; the Gaussian rasteriser carries its own copy.
    glm-src = {
      url = "git+https://github.com/g-truc/glm?rev=33b4a621a697a305bc3a7610d290677b96beb181";
      flake = false;
    };
    # Of this, only submodules/diff-gaussian-rasterization.
    mip-splatting-src = {
      url = "git+https://github.com/autonomousvision/mip-splatting?rev=dda02ab5ecf45d6edb8c540d9bb65c7e451345a9";
      flake = false;
    };
    # The revision that TRELLIS's own set-up names.
    utils3d-src = {
      url = "github:EasternJournalist/utils3d/9a4eb15e4021b67b12c460c7057d642626897ec8";
      flake = false;
    };
    # The code that TRELLIS would fetch through torch.hub at run time.
    dinov2-src = {
      url = "github:facebookresearch/dinov2/b8931f7bf91576930313be2c6d6af376033b35f0";
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

      # The Python environment for other cards: 8.9 (4090), 8.0 (A100), 9.0 (H100).
      lib.mkPythonEnv =
        {
          cudaCapabilities ? ours.${gpuSystem}.pins.cuda.capabilities,
        }:
        (import ./nix {
          inherit inputs cudaCapabilities;
          system = gpuSystem;
        }).packages.python-env;
    };
}
