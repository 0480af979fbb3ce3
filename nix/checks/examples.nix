# Every machine of nix/examples makes a system, alone and as they are meant to be combined. Evaluated only:
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

  files = lib.filterAttrs (_: kind: kind == "regular") (builtins.readDir folder);
  alone = lib.mapAttrs (file: _: evaluated [ (folder + "/${file}") ]) files;
  several = lib.mapAttrs (_: machine: evaluated [ machine ]) (import (folder + "/five-machines/machines.nix"));
  combined = {
    # As docs/nixos.md has it.
    "single-5090.nix with another card" = evaluated [
      (folder + "/single-5090.nix")
      {
        hardware.nvidia.open = lib.mkForce false;
        services.trellis-server.package = inputs.self.packages.${stdenv.hostPlatform.system}.server-ada;
      }
    ];
    "single-5090.nix and nginx-tls.nix" = evaluated [
      (folder + "/single-5090.nix")
      (folder + "/nginx-tls.nix")
    ];
  };

  # The template, with this flake and its nixpkgs as inputs.
  template =
    lib.mapAttrs
      (_: machine: builtins.unsafeDiscardStringContext machine.config.system.build.toplevel.drvPath)
      ((import ../template/flake.nix).outputs {
        inherit (inputs) nixpkgs;
        trellis-server = inputs.self;
      }).nixosConfigurations;
  # `nix flake init` copies the template alone, so it has the example a second time.
  example = lib.readFile (folder + "/single-5090.nix");
in
assert lib.assertMsg (
  lib.readFile ../template/trellis.nix == example
) "nix/template/trellis.nix is not nix/examples/single-5090.nix";
writeText "examples.json" (builtins.toJSON (alone // several // combined // template))
