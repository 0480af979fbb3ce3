# The settings file: what the options say, what the user adds, and the check of both.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkDefault mkOption types;
  cfg = config.services.trellis-server;
  toml = pkgs.formats.toml { };

  # A number that the program has a default for, which `null` leaves in force.
  optionalNumber =
    lowest: example: description:
    mkOption {
      type = types.nullOr (types.ints.between lowest highest);
      default = null;
      inherit example description;
    };
  # What the program reads these as has 32 bits.
  highest = 4294967295;

  withoutNulls = lib.filterAttrsRecursive (_: value: value != null);
in
{
  options.services.trellis-server = {
    settings = mkOption {
      type = types.submodule {
        freeformType = toml.type;
        options = {
          drain_seconds = mkOption {
            type = types.ints.between 0 86400;
            default = 30;
            example = 120;
            description = ''
              How long running jobs may finish when the service stops; then they go back to the queue.
              systemd waits so long and 15 seconds more.
            '';
          };
          limits = {
            queued_jobs = optionalNumber 1 200 "Most jobs that wait; more are answered with 503.";
            job_seconds = optionalNumber 1 1800 "Longest time that one attempt of a job may take.";
          };
          retention = {
            keep_jobs = optionalNumber 0 500 "How many finished jobs to keep; 0 keeps all.";
            keep_days = optionalNumber 0 7 "How many days to keep a finished job; 0 keeps all.";
          };
        };
      };
      default = { };
      example = {
        listen.allowed_origins = [ "https://studio.example" ];
        limits.queued_jobs = 200;
      };
      description = ''
        The settings file of trellis-server; docs/configuration.md lists all keys. It is checked while
        the system is built, so a misspelt key stops the switch and not the service. `role`, `store`, `host`, `port`,
        `insecureNoAuth`, `tls`, `webhookSecretFile`, `backend`, `gpus`, `model`, `defaultQuality`, `preview`
        and `logLevel` are written into it where it says nothing else.
      '';
    };

    configFile = mkOption {
      type = types.path;
      internal = true;
      readOnly = true;
      description = "The settings file as it is checked.";
    };
  };

  config.services.trellis-server = {
    settings = {
      role = lib.mkIf (cfg.role != "all") (mkDefault cfg.role);
      store = lib.mkIf (cfg.store.url != null) {
        url = mkDefault cfg.store.url;
        blobs = lib.mkIf (cfg.store.blobs != null) (mkDefault cfg.store.blobs);
        password_file = lib.mkIf (cfg.store.passwordFile != null) (
          mkDefault "/run/credentials/trellis-server.service/store-password"
        );
      };
      blobs = lib.mkIf (cfg.store.blobsCredentialsFile != null) {
        credentials_file = mkDefault "/run/credentials/trellis-server.service/blobs-credentials";
      };
      backend = mkDefault cfg.backend;
      auth = lib.mkIf cfg.insecureNoAuth { insecure_no_auth = mkDefault true; };
      listen.host = mkDefault cfg.host;
      listen.port = mkDefault cfg.port;
      tls = lib.mkIf (cfg.tls.certificate != null) {
        certificate = mkDefault "/run/credentials/trellis-server.service/tls-certificate";
        key = mkDefault "/run/credentials/trellis-server.service/tls-key";
      };
      webhooks = lib.mkIf (cfg.webhookSecretFile != null) {
        secret_file = mkDefault "/run/credentials/trellis-server.service/webhook-secret";
      };
      log.level = mkDefault cfg.logLevel;
      trellis = {
        preview = mkDefault cfg.preview;
        default_quality = mkDefault cfg.defaultQuality;
        gpus = mkDefault (
          if lib.isList cfg.gpus then lib.concatMapStringsSep "," toString cfg.gpus else cfg.gpus
        );
        model = lib.mkIf (cfg.model != null) (mkDefault (toString cfg.model));
      };
    };

    configFile =
      pkgs.runCommand "trellis.toml"
        {
          # The program alone: nobody needs CUDA to check a file.
          nativeBuildInputs = [ (cfg.package.server-preview or cfg.package) ];
        }
        ''
          cp ${toml.generate "trellis.toml" (withoutNulls cfg.settings)} "$out"
          trellis config check "$out"
        '';
  };
}
