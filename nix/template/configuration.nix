# The machine itself. Replace this file with the one that `nixos-generate-config` writes, and import its
# hardware-configuration.nix there.
{
  nixpkgs.hostPlatform = "x86_64-linux";
  networking.hostName = "studio";
  fileSystems."/".device = "/dev/disk/by-label/nixos";
  boot.loader.systemd-boot.enable = true;
  system.stateVersion = "26.05";
}
