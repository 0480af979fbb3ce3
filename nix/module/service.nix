# The socket, the service and what they need around them; what they may not do is in hardening.nix.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkIf;
  cfg = config.services.trellis-server;
  inherit (cfg.settings) listen;
  name = "trellis-server";

  address = if lib.hasInfix ":" listen.host then "[${listen.host}]" else listen.host;
  # Where the wrapper of TRELLIS's package looks; its variables win over the settings file.
  model = cfg.settings.trellis.model or null;
  model2 = cfg.settings.trellis2.model or null;
  inherit (cfg) store;
  isShared = store.url != null;
  blobsFolder = if store.blobs != null && lib.hasPrefix "/" store.blobs then store.blobs else null;
  # A worker listens nowhere.
  listens = cfg.role != "worker";
  credentials =
    lib.optionalAttrs (store.passwordFile != null) { store-password = store.passwordFile; }
    // lib.optionalAttrs (store.blobsCredentialsFile != null) {
      blobs-credentials = store.blobsCredentialsFile;
    }
    // lib.optionalAttrs (cfg.apiKeysFile != null) { api-keys = cfg.apiKeysFile; }
    // lib.optionalAttrs (cfg.tls.certificate != null) { tls-certificate = cfg.tls.certificate; }
    // lib.optionalAttrs (cfg.tls.key != null) { tls-key = cfg.tls.key; }
    // lib.optionalAttrs (cfg.webhookSecretFile != null) { webhook-secret = cfg.webhookSecretFile; }
    // cfg.credentials;
  onSocket = cfg.socket != null;
in
{
  config = mkIf cfg.enable {
    # Open from early boot and over restarts: a client waits instead of being refused, and the service
    # needs no network of its own.
    systemd.sockets.${name} = mkIf listens {
      description = "trellis-server's HTTP interface";
      wantedBy = [ "sockets.target" ];
      listenStreams = [ (if onSocket then toString cfg.socket else "${address}:${toString listen.port}") ];
      socketConfig =
        if onSocket then
          {
            SocketMode = "0660";
            SocketGroup = mkIf (cfg.socketGroup != null) cfg.socketGroup;
            RemoveOnStop = true;
          }
        else
          {
            # The address may come later, by DHCP say.
            FreeBind = true;
            # Events are small and must not wait for each other.
            NoDelay = true;
          };
    };

    systemd.services.${name} = {
      description = "trellis-server: 3D assets from pictures";
      # Not only by the socket: the queue has work from before, and TRELLIS takes its time to load.
      wantedBy = [ "multi-user.target" ];
      requires = lib.optional listens "${name}.socket";
      wants = lib.optional isShared "network-online.target";
      after = lib.optional listens "${name}.socket" ++ lib.optional isShared "network-online.target";
      unitConfig.RequiresMountsFor = mkIf (blobsFolder != null) blobsFolder;

      # Five failures in five minutes and it stays down, with the reason in the journal.
      startLimitBurst = 5;
      startLimitIntervalSec = 300;

      environment =
        lib.optionalAttrs (model != null) { TRELLIS_MODEL_PATH = model; }
        // lib.optionalAttrs (model2 != null) { TRELLIS_TRELLIS2_MODEL = model2; }
        // lib.optionalAttrs (cfg.dataDir != null) { TRELLIS_DATA_DIR = toString cfg.dataDir; }
        # Libraries of the worker that cache things; a dynamic user has no home.
        // lib.optionalAttrs cfg.usesGpu { XDG_CACHE_HOME = "%C/${name}"; };

      serviceConfig = {
        Type = "notify";
        # The program itself tells, the workers do not.
        NotifyAccess = "main";
        ExecStart = lib.concatStringsSep " " (
          [ "${lib.getExe cfg.package} --config ${cfg.configFile} serve" ]
          ++ map lib.escapeShellArg cfg.extraArgs
        );
        ExecReload = "${pkgs.coreutils}/bin/kill -HUP $MAINPID";
        # The doctor reads gigabytes of libraries from a cold disk first.
        TimeoutStartSec = mkIf cfg.usesGpu 300;
        # Told every two seconds; a job database that does not answer for ten is told late.
        WatchdogSec = 60;

        Restart = "on-failure";
        RestartSec = 1;
        RestartSteps = 5;
        RestartMaxDelaySec = 30;

        # SIGTERM to the server alone: it lets its workers finish what they do.
        KillMode = "mixed";
        TimeoutStopSec = cfg.settings.drain_seconds + 15;
        # A worker that the kernel kills for memory is the server's to replace.
        OOMPolicy = "continue";
        # An event stream holds a connection for as long as its job lives.
        LimitNOFILE = 65536;

        DynamicUser = cfg.user == null;
        StateDirectory = mkIf (cfg.dataDir == null) name;
        StateDirectoryMode = mkIf (cfg.dataDir == null) "0700";
        # Keeps what the driver compiles from PTX over restarts.
        CacheDirectory = name;
        CacheDirectoryMode = "0700";
        RuntimeDirectory = name;
        RuntimeDirectoryMode = "0700";
        User = mkIf (cfg.user != null) cfg.user;
        Group = mkIf (cfg.group != null) cfg.group;
        EnvironmentFile = mkIf (cfg.environmentFile != null) (toString cfg.environmentFile);
        LoadCredential = mkIf (credentials != { }) (
          lib.mapAttrsToList (credential: path: "${credential}:${toString path}") credentials
        );
      };
    };

    # `trellis model fetch` and the rest, at hand.
    environment.systemPackages = [ cfg.package ];

    networking.firewall.allowedTCPPorts = mkIf (cfg.openFirewall && listens && !onSocket) [ listen.port ];

    # The driver's libraries, in /run/opengl-driver.
    hardware.graphics.enable = mkIf cfg.usesGpu (lib.mkDefault true);
    # Loaded before services start: the device filter knows only what /proc/devices lists by then.
    boot.kernelModules = mkIf (cfg.usesGpu && cfg.hasDriver) [ "nvidia_uvm" ];

    systemd.tmpfiles.settings = mkIf (cfg.dataDir != null && cfg.user != null) {
      "10-${name}".${toString cfg.dataDir}.d = {
        inherit (cfg) user group;
        mode = "0700";
      };
    };

    users.users = mkIf (cfg.user == name) {
      ${name} = {
        isSystemUser = true;
        inherit (cfg) group;
        description = "trellis-server";
      };
    };
    users.groups = mkIf (cfg.group == name) { ${name} = { }; };
  };
}
