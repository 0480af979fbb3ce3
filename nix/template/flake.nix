# A machine with trellis-server, made by `nix flake init --template github:OWNER/trellis-server`. docs/nixos.md
# of that project has the next steps.
{
  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";
    # It keeps its own nixpkgs, so that what was built elsewhere and is in a cache can be used.
    trellis-server.url = "github:OWNER/trellis-server";
  };

  outputs =
    { nixpkgs, trellis-server, ... }:
    {
      nixosConfigurations.studio = nixpkgs.lib.nixosSystem {
        modules = [
          trellis-server.nixosModules.default
          ./configuration.nix
          ./trellis.nix
        ];
      };
    };
}
