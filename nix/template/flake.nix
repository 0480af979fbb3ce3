# A machine with trellis-server. Made by `nix flake init --template github:OWNER/trellis-server`; docs/nixos.md
# of that project goes on from here.
{
  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";
    # Its own nixpkgs stays as it is: what was built of it elsewhere, and is in a cache, fits.
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
