# Both models on one machine.
{
  services.trellis-server = {
    enable = true;
    models = [
      "trellis2-4b"
      "trellis-image-large"
    ];
    settings.default_model = "trellis2-4b";
  };
  hardware.nvidia.open = true;
  services.xserver.videoDrivers = [ "nvidia" ];
}
