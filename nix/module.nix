# NixOS: `services.trellis-server.enable = true;`. One subject a file; docs/nixos.md is for users and
# docs/nixos-options.md lists the options.
{ self }:
{
  # Imported twice, it is still one module.
  key = "trellis-server";
  _file = ./module.nix;

  imports = [
    (import ./module/options.nix { inherit self; })
    ./module/settings.nix
    ./module/service.nix
    ./module/hardening.nix
    ./module/assertions.nix
  ];
}
