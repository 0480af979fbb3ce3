# The GPU form, with keys: what `tests/nixos/systemd.sh gpu` runs.
{
  services.trellis-server = {
    apiKeysFile = "/etc/trellis-api-keys";
    model = "/srv/models/TRELLIS-image-large";
  };
  services.xserver.videoDrivers = [ "nvidia" ];
  hardware.nvidia.open = true;
}
