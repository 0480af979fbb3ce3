# A package of TRELLIS without a model, as `server-bare` is.
{ pkgs, ... }:
{
  services.trellis-server = {
    enable = true;
    package = pkgs.runCommand "trellis-server" {
      meta.mainProgram = "trellis";
      passthru.python-env = { };
    } "";
  };
  services.xserver.videoDrivers = [ "nvidia" ];
  hardware.nvidia.open = true;
}
