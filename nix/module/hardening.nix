# What the service may not do. The preview form needs its folders and the socket that systemd opened,
# nothing else. The GPU form runs Python libraries and NVIDIA's driver: what is loosened for them has
# its reason beside it. tests/nix/module.sh measures both with `systemd-analyze security`.
{ config, lib, ... }:
let
  cfg = config.services.trellis-server;
  gpu = cfg.usesGpu;
  model = cfg.settings.trellis.model or null;
  dataDir = lib.mapNullable toString cfg.dataDir;
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
      BindPaths = lib.mkIf (dataDir != null) [ dataDir ];
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
      # worker opens itself leads nowhere. Nothing is fetched at run time.
      PrivateNetwork = true;
      RestrictAddressFamilies = [ "AF_UNIX" ];
      IPAddressDeny = "any";

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
