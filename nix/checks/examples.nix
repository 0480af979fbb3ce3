# Every file of nix/examples makes a system, alone and as they are meant to be combined. Evaluated only:
# nothing of CUDA is built for this.
{
  inputs,
  lib,
  stdenv,
  writeText,
}:
let
  folder = ../examples;
  system =
    modules:
    (inputs.nixpkgs.lib.nixosSystem {
      modules = modules ++ [
        inputs.self.nixosModules.default
        {
          nixpkgs.hostPlatform = stdenv.hostPlatform.system;
          # What every machine brings itself.
          fileSystems."/".device = "/dev/disk/by-label/root";
          boot.loader.grub.enable = false;
          system.stateVersion = "26.05";
        }
      ];
    }).config.system.build.toplevel;
  evaluated = modules: builtins.unsafeDiscardStringContext (system modules).drvPath;

  alone = lib.mapAttrs (file: _: evaluated [ (folder + "/${file}") ]) (builtins.readDir folder);
  # As docs/nixos.md has it.
  server = inputs.self.packages.${stdenv.hostPlatform.system}.server;
  python-env = inputs.self.lib.mkPythonEnv { cudaCapabilities = [ "8.9" ]; };
  combined = {
    "single-5090.nix with another card" = evaluated [
      (folder + "/single-5090.nix")
      {
        hardware.nvidia.open = lib.mkForce false;
        services.trellis-server.package = server.override {
          inherit python-env;
          environment = server.environment.override { inherit python-env; };
        };
      }
    ];
    "single-5090.nix and nginx-tls.nix" = evaluated [
      (folder + "/single-5090.nix")
      (folder + "/nginx-tls.nix")
    ];
  };
in
writeText "examples.json" (builtins.toJSON (alone // combined))
