# An OCI image, written as a stream so that its gigabytes are not stored twice:
#   $(nix build --print-out-paths .#image) | podman load
# The container runtime brings the driver (NVIDIA's container toolkit puts it in the loader cache), a volume
# the models.
{
  lib,
  curl,
  dockerTools,
  server-bare,
}:
let
  user = "1000:1000";
  home = "var/lib/trellis-server";
  port = "8000";
in
dockerTools.streamLayeredImage {
  name = "trellis-server";
  tag = server-bare.version;
  contents = [
    server-bare
    # For the model hub, when `trellis model fetch` is run in the container.
    dockerTools.caCertificates
    # /etc/passwd, so that the process has a name and a home.
    (dockerTools.fakeNss.override {
      extraPasswdLines = [ "trellis:x:${user}:trellis-server:/${home}:/noshell" ];
      extraGroupLines = [ "trellis:x:${lib.last (lib.splitString ":" user)}:" ];
    })
  ];
  # The database, models and the driver's cache: a volume. A new one takes over owner and mode.
  fakeRootCommands = ''
    mkdir -m 1777 tmp
    mkdir -p ${home}
    # Files of a job store that servers share, where it is a volume.
    mkdir -p srv/trellis
    chown ${user} ${home} srv/trellis
  '';
  config = {
    Entrypoint = [ (lib.getExe server-bare) ];
    Cmd = [ "serve" ];
    # Not root: nothing here needs it, and NVIDIA's devices are open to all.
    User = user;
    WorkingDir = "/${home}";
    Env = [
      "HOME=/${home}"
      "TRELLIS_DATA_DIR=/${home}"
      # In a container, loopback reaches nobody. The server then asks for keys, or for the word to do without:
      # docs/nix.md, "A container".
      "TRELLIS_LISTEN_HOST=0.0.0.0"
      # For runtimes with NVIDIA's own hook; with `--device nvidia.com/gpu=all` they mean nothing.
      "NVIDIA_VISIBLE_DEVICES=all"
      "NVIDIA_DRIVER_CAPABILITIES=compute,utility"
    ];
    ExposedPorts."${port}/tcp" = { };
    Volumes."/${home}" = { };
    # Alive, not ready: without a model the server is up and says what it waits for. Times in nanoseconds.
    Healthcheck = {
      Test = [
        "CMD"
        (lib.getExe curl)
        "--fail"
        "--silent"
        "--show-error"
        "--output"
        "/dev/null"
        "http://127.0.0.1:${port}/v1/health/live"
      ];
      Interval = 30 * 1000000000;
      Timeout = 5 * 1000000000;
      StartPeriod = 300 * 1000000000;
      Retries = 3;
    };
    Labels = {
      "org.opencontainers.image.title" = "trellis-server";
      "org.opencontainers.image.description" = server-bare.meta.description;
      "org.opencontainers.image.version" = server-bare.version;
      "org.opencontainers.image.licenses" = "MIT OR Apache-2.0";
    };
  };
}
