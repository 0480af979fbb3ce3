# The GPU form, with keys: what `tests/nixos/systemd.sh gpu` runs.
{
  services.trellis-server = {
    host = "::";
    # The stand-in's environment is not what the doctor wants.
    extraArgs = [ "--skip-doctor" ];
    apiKeysFile = "/etc/trellis-api-keys";
    model = "/srv/models/TRELLIS-image-large";
  };
  services.xserver.videoDrivers = [ "nvidia" ];
  hardware.nvidia.open = true;
}
