# One machine with an RTX 5090, for whoever sits at it.
{ lib, ... }:
{
  services.trellis-server = {
    enable = true;
    # Brought by `trellis model fetch microsoft/TRELLIS-image-large --to …`; readable by everybody.
    model = "/srv/models/TRELLIS-image-large";
  };

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
