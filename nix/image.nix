# An OCI image, written as a stream so that its gigabytes are not stored twice:
#   $(nix build --print-out-paths .#image) | podman load
# The container runtime brings the driver (NVIDIA's container toolkit puts it in the loader cache).
{
  dockerTools,
  lib,
  server,
}:
dockerTools.streamLayeredImage {
  name = "trellis-server";
  tag = server.version;
  contents = [
    server
    # For the model hub, when `trellis model fetch` is run in the container.
    dockerTools.caCertificates
    # /etc/passwd, so that the process has a name and a home.
    dockerTools.fakeNss
  ];
  # The database, models and the driver's cache: a volume.
  extraCommands = ''
    mkdir -m 1777 tmp
    mkdir -p var/lib/trellis-server
  '';
  config = {
    Entrypoint = [ (lib.getExe server) ];
    Cmd = [
      "serve"
      "--host"
      "0.0.0.0"
    ];
    Env = [
      "TRELLIS_DATA_DIR=/var/lib/trellis-server"
      # What NVIDIA's toolkit mounts: the compute libraries and nvidia-smi.
      "NVIDIA_VISIBLE_DEVICES=all"
      "NVIDIA_DRIVER_CAPABILITIES=compute,utility"
    ];
    ExposedPorts."8000/tcp" = { };
    Volumes."/var/lib/trellis-server" = { };
  };
}
