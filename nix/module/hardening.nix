# What the service may not do. The preview form needs its folders and the socket that systemd opened,
# nothing else. The GPU form runs Python libraries and NVIDIA's driver: what is loosened for them has
# its reason beside it. tests/nix/module.sh measures both with `systemd-analyze security`.
{ config, lib, ... }:
let
  cfg = config.services.trellis-server;
  gpu = cfg.usesGpu;
  model = cfg.settings.trellis.model or null;
  dataDir = lib.mapNullable toString cfg.dataDir;
  webhooks = cfg.settings.webhooks or { };
  sendsWebhooks = (webhooks.secret_file or "") != "";
  isShared = cfg.store.url != null;
  networks = cfg.store.allowedNetworks;
  blobs = if isShared && lib.hasPrefix "/" (toString cfg.store.blobs) then cfg.store.blobs else null;
  hasNetwork = sendsWebhooks || isShared;
  # systemd knows addresses and networks, no names.
  isNetwork = entry: builtins.match "[0-9]+(\\.[0-9]+){3}(/[0-9]+)?|[0-9a-fA-F.]*:[0-9a-fA-F:.]*(/[0-9]+)?" entry != null;
  allowed = lib.filter isNetwork (webhooks.allow or [ ]);
  reachable = lib.optionals sendsWebhooks allowed ++ lib.optionals isShared networks;
  # What crates/trellis-webhook/src/public.rs does not count as public, in few lines.
  notPublic = [
    "0.0.0.0/8"
    "10.0.0.0/8"
    "100.64.0.0/10"
    "127.0.0.0/8"
    "169.254.0.0/16"
    "172.16.0.0/12"
    "192.0.0.0/24"
    "192.168.0.0/16"
    "198.18.0.0/15"
    "224.0.0.0/3"
    "::/3" # loopback, IPv4-mapped, NAT64 and what is not given out
    "4000::/2"
    "8000::/1" # private, link-local and multicast among them
  ];
  inHome =
    path:
    path != null
    && lib.any (home: lib.hasPrefix home path) [
      "/home/"
      "/root/"
    ];
in
{
  config.systemd.services.trellis-server = lib.mkIf cfg.enable {
    serviceConfig = {
      # Files. Everything is read-only but the service's own folders.
      ProtectSystem = "strict";
      # With `true`, a folder below /home could not be shown either.
      ProtectHome = if inHome model || inHome dataDir then "tmpfs" else true;
      BindReadOnlyPaths = lib.mkIf (inHome model) [ "-${model}" ];
      BindPaths = lib.mkIf (dataDir != null || blobs != null) (
        lib.optional (dataDir != null) dataDir ++ lib.optional (blobs != null) blobs
      );
      PrivateTmp = true;
      PrivateMounts = true;
      UMask = "0077";

      # Devices. GPU form: NVIDIA's, by the names that /proc/devices has for them. Not single nodes: a
      # program that sees one GPU of several counts it as number 0, and `gpus` would mean another.
      DevicePolicy = "closed";
      PrivateDevices = !gpu; # has no NVIDIA nodes
      DeviceAllow = lib.optionals gpu [
        "char-nvidia rw"
        "char-nvidiactl rw"
        "char-nvidia-frontend rw" # the two above, in older drivers
        "char-nvidia-uvm rw"
        "char-nvidia-caps r" # slices of a GPU (MIG)
      ];

      # Network. The socket comes from systemd and obeys the rules of its own unit; what the server or a
      # worker opens itself leads nowhere. Nothing is fetched at run time. Webhooks alone are sent from here: with
      # them, everything but public addresses stays closed, as the program has it too. A job store that machines
      # share is somewhere else.
      PrivateNetwork = !hasNetwork;
      RestrictAddressFamilies = [
        "AF_UNIX"
      ]
      ++ lib.optionals hasNetwork [
        "AF_INET"
        "AF_INET6"
      ];
      IPAddressDeny = lib.mkIf (!isShared || networks != [ ]) (if sendsWebhooks then notPublic else "any");
      IPAddressAllow = lib.mkIf (reachable != [ ]) reachable;

      # Identity and privileges.
      NoNewPrivileges = true;
      CapabilityBoundingSet = "";
      AmbientCapabilities = "";
      PrivateUsers = true;
      RestrictSUIDSGID = true;
      KeyringMode = "private";
      RemoveIPC = true;
      PrivateIPC = true;

      # Kernel.
      ProtectKernelTunables = true;
      ProtectKernelModules = true;
      ProtectKernelLogs = true;
      ProtectControlGroups = true;
      ProtectClock = true;
      ProtectHostname = true;
      ProtectProc = "invisible";
      # CUDA reads /proc/driver/nvidia and finds the number of nvidia-uvm in /proc/devices.
      ProcSubset = if gpu then "all" else "pid";
      RestrictNamespaces = true;
      RestrictRealtime = true;
      LockPersonality = true;

      # Calls.
      SystemCallArchitectures = "native";
      SystemCallErrorNumber = "EPERM";
      SystemCallFilter = [
        "@system-service"
        "~@privileged"
      ]
      # CUDA and torch place threads and memory on the node of the GPU (sched_setaffinity, mbind).
      ++ lib.optional (!gpu) "~@resources";
      # numba, which rembg's matting stands on, compiles to memory that it writes and then runs; with this
      # on: "cannot allocate executable memory". CUDA, NVRTC and Triton got by without (docs/nixos.md).
      MemoryDenyWriteExecute = !gpu;
    };
  };
}
