# A studio's server: several GPUs, a data disk, clients in its own network.
{ lib, ... }:
{
  services.trellis-server = {
    enable = true;
    host = "0.0.0.0";
    openFirewall = true;
    apiKeysFile = "/run/secrets/trellis-api-keys";

    # No preview in place of the real thing, and the fourth GPU stays free for other work.
    backend = "trellis";
    preview = false;
    gpus = [
      0
      1
      2
    ];
    model = "/srv/models/TRELLIS-image-large";

    # On the large disk; an owner that stays the same, so that backups can be restored.
    dataDir = "/srv/trellis";
    user = "trellis-server";

    settings = {
      # As clients write it; addresses need not be listed.
      listen.allowed_hosts = [ "trellis.studio.example" ];
      log.format = "json";
      limits.queued_jobs = 200;
      retention.keep_days = 7;
      # A switch of the system waits for jobs that run.
      drain_seconds = 120;
    };
  };

  # Of the same generation as the flake's default, Blackwell. For others: docs/nixos.md, "Another card".
  services.xserver.videoDrivers = [ "nvidia" ];
  hardware.nvidia = {
    open = true;
    # The driver stays loaded between jobs.
    nvidiaPersistenced = true;
  };
  nixpkgs.config.allowUnfreePredicate =
    package:
    builtins.elem (lib.getName package) [
      "nvidia-x11"
      "nvidia-settings"
      "nvidia-persistenced"
    ];
}
