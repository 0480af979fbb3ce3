# The options, but for `settings` (settings.nix).
{ self }:
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib)
    literalExpression
    mkEnableOption
    mkOption
    types
    ;
  cfg = config.services.trellis-server;
  packages = self.packages.${pkgs.stdenv.hostPlatform.system};
  account = mkOption {
    type = types.nullOr types.str;
    default = null;
    example = "trellis-server";
  };
in
{
  options.services.trellis-server = {
    enable = mkEnableOption "trellis-server, which makes 3D assets from pictures";

    package = mkOption {
      type = types.package;
      default =
        if cfg.backend == "relief" || cfg.role == "api" then
          packages.server-preview
        else if cfg.models == [ "trellis-image-large" ] then
          packages.default
        else if cfg.models == [ "trellis2-4b" ] then
          packages.server-trellis2
        else
          packages.server-both;
      defaultText = literalExpression ''
        if backend == "relief" || role == "api" then trellis-server.packages.''${system}.server-preview
        else the one of trellis-server.packages.''${system} for `models`
      '';
      example = literalExpression "trellis-server.packages.\${system}.server-ada";
      description = ''
        The package to run. The default runs `models` on an RTX 50 and has them in it; `server-ada`,
        `server-hopper` and `server-ampere` are for other cards, `server-bare` is without the model, and
        `server-preview` has the embedded backend only and needs neither a GPU nor unfree packages.
      '';
    };

    role = mkOption {
      type = types.enum [
        "all"
        "api"
        "worker"
      ];
      default = "all";
      example = "worker";
      description = ''
        The part that this machine takes among those that share a job store (`store`): `api` takes requests and needs no
        GPU, `worker` works on jobs and listens nowhere, `all` does both.
      '';
    };

    store = {
      url = mkOption {
        type = types.nullOr types.str;
        default = null;
        example = "postgres://trellis@db.example.org/trellis";
        description = ''
          PostgreSQL database that machines share their jobs in, without a password: the URL is in the Nix store. `null`
          keeps jobs in the service's own folder. The service then has the machine's network, and so have TRELLIS's
          workers, which live in it; `store.allowedNetworks` says where to.
        '';
      };

      passwordFile = mkOption {
        type = types.nullOr types.path;
        default = null;
        example = "/run/secrets/trellis-store-password";
        description = ''
          File with the database's password as its only line. systemd hands it to the service, so only root needs to be
          able to read it. It must not be in the Nix store, which everybody can read.
        '';
      };

      blobs = mkOption {
        type = types.nullOr types.str;
        default = null;
        example = "s3://studio/trellis?region=eu-central-1";
        description = ''
          Where pictures and results of shared jobs are: a folder that all machines mount, for which `user` must have
          the same number on all of them, or S3-compatible storage.
        '';
      };

      blobsCredentialsFile = mkOption {
        type = types.nullOr types.path;
        default = null;
        example = "/run/secrets/trellis-s3";
        description = ''
          File with the access key for S3-compatible storage, in the form of `~/.aws/credentials`. systemd hands it to
          the service, so only root needs to be able to read it. It must not be in the Nix store, which everybody can
          read.
        '';
      };

      allowedNetworks = mkOption {
        type = types.listOf types.str;
        default = [ ];
        example = [ "10.0.0.0/24" ];
        description = ''
          The addresses and networks that the service may talk to: the database, S3-compatible storage, and whoever
          reads `settings.metrics.listen`. The kernel drops the rest. Empty: any.
        '';
      };
    };

    host = mkOption {
      type = types.str;
      default = "127.0.0.1";
      example = "0.0.0.0";
      description = ''
        Address to listen on. `0.0.0.0` or `::` opens the server to the network, for which it needs `apiKeysFile`;
        set `settings.listen.allowed_hosts` to the names by which other machines reach this one.
      '';
    };

    port = mkOption {
      type = types.port;
      default = 8000;
      example = 8080;
      description = "Port to listen on. systemd opens it, so one below 1024 needs no privilege.";
    };

    socket = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = "/run/trellis-server.sock";
      description = ''
        Unix socket to listen on instead of `host` and `port`, for a proxy on this machine. systemd makes it, for
        root and `socketGroup` alone; no keys are needed then. Not inside of `/run/trellis-server`, which is the
        service's own.
      '';
    };

    socketGroup = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = literalExpression "config.services.nginx.group";
      description = "Group that may connect to `socket`. `null` leaves it to root.";
    };

    tls = {
      certificate = mkOption {
        type = types.nullOr types.path;
        default = null;
        example = "/var/lib/acme/3d.example.org/fullchain.pem";
        description = ''
          PEM file of a certificate and those of its authorities: the service then speaks HTTPS at its port. systemd
          hands it over when the service starts, so restart the service after a renewal.
        '';
      };

      key = mkOption {
        type = types.nullOr types.path;
        default = null;
        example = "/var/lib/acme/3d.example.org/key.pem";
        description = ''
          PEM file of the certificate's private key. systemd hands it over, so only root needs to be able to read
          it. It must not be in the Nix store, which everybody can read.
        '';
      };
    };

    openFirewall = mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = "Whether to let other machines reach the port through the firewall.";
    };

    backend = mkOption {
      type = types.enum [
        "auto"
        "trellis"
        "relief"
      ];
      default = "auto";
      example = "relief";
      description = ''
        Which backend does the work. `auto` uses every one available, the best first. `relief` is the
        embedded preview: no GPU, nothing unfree, and the service is locked up more tightly.
      '';
    };

    gpus = mkOption {
      type = types.either (types.enum [ "all" ]) (
        types.nonEmptyListOf (types.either types.ints.unsigned types.str)
      );
      default = "all";
      example = [
        0
        1
      ];
      description = ''
        Which GPUs get a worker: all, or a list of numbers as `nvidia-smi` shows them, or of UUIDs.
        One that is listed twice gets two.
      '';
    };

    models = mkOption {
      type = types.nonEmptyListOf (
        types.enum [
          "trellis-image-large"
          "trellis2-4b"
        ]
      );
      default = [ "trellis-image-large" ];
      example = [
        "trellis-image-large"
        "trellis2-4b"
      ];
      apply = lib.flip lib.pipe [
        lib.unique
        (lib.sort lib.lessThan)
      ];
      description = ''
        Which models the package runs, unless `package` names another: TRELLIS-image-large, TRELLIS.2-4B, or both in
        workers of their own. Jobs name theirs; those that name none get `settings.default_model`. Together they take
        about 36 GB of disk and, with one GPU, memory for both.
      '';
    };

    model = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = "/srv/models/TRELLIS-image-large";
      description = ''
        TRELLIS's model: a folder as `trellis model fetch` makes it, or a package of one. Everybody must
        be able to read it. `null` takes the one in the package; with `server-bare`, which has none,
        `models/TRELLIS-image-large` in the state directory.
      '';
    };

    defaultQuality = mkOption {
      type = types.enum [
        "draft"
        "balanced"
        "exact"
      ];
      default = "balanced";
      example = "exact";
      description = ''
        How close TRELLIS stays to its own code where a job does not set `quality`: `exact` is that code,
        `balanced` does the same faster, `draft` is fastest and loses detail.
      '';
    };

    preview = mkOption {
      type = types.bool;
      default = true;
      example = false;
      description = "Whether a job has the embedded preview as `preview.glb` while TRELLIS works on it.";
    };

    logLevel = mkOption {
      type = types.str;
      default = "info";
      example = "info,trellis_runner=debug";
      description = ''
        What to log: `error`, `warn`, `info`, `debug`, `trace`, or levels of single parts.
      '';
    };

    apiKeysFile = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = "/run/secrets/trellis-api-keys";
      description = ''
        File of the keys that clients must send as `Authorization: Bearer KEY`, one a line, with what each
        key may do and how much of it; docs/http.md has the form. systemd hands it to the service, so only root
        needs to be able to read it. It must not be in the Nix store, which everybody can read. `null` lets
        everybody in who reaches the port, which is refused where `host` is not a loopback address.
      '';
    };

    webhookSecretFile = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = "/run/secrets/trellis-webhook-secret";
      description = ''
        File of the secrets that messages to webhooks are signed with; docs/webhooks.md has the form. systemd hands
        it to the service, so only root needs to be able to read it. It must not be in the Nix store, which everybody
        can read. `null`: jobs have no webhooks, and the service has no network.

        With it the service has the machine's network, because it connects to the receivers itself, and so have
        TRELLIS's workers, which live in it. The kernel drops what goes to loopback, to private and other special
        addresses, except to those in `settings.webhooks.allow`: for a receiver there, name its address or network as
        well as its host. Names are looked up by nscd, which NixOS runs by default.
      '';
    };

    insecureNoAuth = mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = ''
        Whether to let everybody in without a key although `host` is not a loopback address. Everybody who reaches
        the port can then use the server, read and delete all jobs.
      '';
    };

    credentials = mkOption {
      type = types.attrsOf types.path;
      default = { };
      example = {
        sign-key = "/run/secrets/trellis-sign-key";
      };
      description = ''
        Further secrets by name, each a file outside of the Nix store. The service finds them as
        `/run/credentials/trellis-server.service/NAME`, a path that `settings` may name.
      '';
    };

    environmentFile = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = "/run/secrets/trellis-server.env";
      description = ''
        File of `NAME=value` lines outside of the Nix store. Variables win over `settings`;
        docs/configuration.md lists them.
      '';
    };

    extraArgs = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "--skip-doctor" ];
      description = "Further arguments of `trellis serve`; docs/cli.md lists them. They win over all else.";
    };

    dataDir = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = "/srv/trellis";
      description = ''
        Folder of the job database, pictures and assets. `null` is `/var/lib/trellis-server`, made and
        owned by systemd. Any other needs a `user`; it is created if missing.
      '';
    };

    user = account // {
      description = ''
        Account to run as. `null` takes one that systemd makes for as long as the service runs.
        `trellis-server` is created; an account of another name must exist.
      '';
    };

    group = account // {
      default = cfg.user;
      defaultText = literalExpression "config.services.trellis-server.user";
      description = "Group to run as. `trellis-server` is created; one of another name must exist.";
    };

    usesGpu = mkOption {
      type = types.bool;
      internal = true;
      readOnly = true;
      default = cfg.settings.backend != "relief" && cfg.role != "api" && cfg.package ? python-env;
      description = "Whether TRELLIS may run: decides about devices, the driver and hardening.";
    };

    hasDriver = mkOption {
      type = types.bool;
      internal = true;
      readOnly = true;
      default =
        lib.elem "nvidia" config.services.xserver.videoDrivers || config.hardware.nvidia.datacenter.enable;
      description = "Whether the machine's configuration brings NVIDIA's driver.";
    };
  };
}
