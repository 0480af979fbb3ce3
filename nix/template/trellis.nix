# One machine with an RTX 5090, for whoever sits at it. The model comes with the package.
{ lib, ... }:
{
  services.trellis-server.enable = true;

  # The driver. Blackwell cards run with the open kernel module only.
  services.xserver.videoDrivers = [ "nvidia" ];
  hardware.nvidia.open = true;
  nixpkgs.config.allowUnfreePredicate =
    package:
    builtins.elem (lib.getName package) [
      "nvidia-x11"
      "nvidia-settings"
    ];
}
