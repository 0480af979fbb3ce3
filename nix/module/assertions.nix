# What cannot work is refused while the system is evaluated, what may not is warned of; each says the fix.
{
  config,
  lib,
  ...
}:
let
  inherit (lib) mkIf optional;
  cfg = config.services.trellis-server;
  inherit (config.hardware) nvidia;
  option = name: "services.trellis-server.${name}";

  stateDir = if cfg.dataDir == null then "/var/lib/trellis-server" else toString cfg.dataDir;
  # Of the card that the extensions were compiled for; Blackwell begins at 10.
  capability = cfg.package.python-env.capability or "0";
  isBlackwell = lib.versionAtLeast capability "10.0";
  refusedAsUnfree = package: (package.meta.unfree or false) && !(package.meta.available or true);

  # In the store, or about to be copied there.
  inStore = path: lib.hasPrefix builtins.storeDir (toString path);
  outsideStore = name: path: {
    assertion = path == null || !inStore path;
    message = ''
      ${option name} is in the Nix store, which every user of the machine can read: ${toString path}
      Name a file outside of it, such as "/run/secrets/trellis", that root or sops-nix or agenix puts there.
    '';
  };
  # A variable or an argument may name the file as well; the program looks again when it starts.
  mayHaveKeys =
    cfg.apiKeysFile != null
    || cfg.settings ? auth.keys_file
    || cfg.credentials ? api-keys
    || cfg.environmentFile != null
    || lib.any (lib.hasPrefix "--auth-keys-file") cfg.extraArgs;
  isLoopback =
    lib.elem cfg.settings.listen.host [
      "localhost"
      "::1"
      "[::1]"
    ]
    || lib.hasPrefix "127." cfg.settings.listen.host;
  mayBeOpen = cfg.settings.auth.insecure_no_auth or false || lib.elem "--insecure-no-auth" cfg.extraArgs;
in
{
  config = mkIf cfg.enable {
    assertions = [
      {
        assertion = cfg.settings.backend != "trellis" || cfg.role == "api" || cfg.package ? python-env;
        message = ''
          ${option "backend"} is "trellis", but ${option "package"} has no TRELLIS in it.
          Take the flake's package `server`, or set the backend to "relief" for the preview.
        '';
      }
      {
        assertion = cfg.usesGpu -> config.hardware.graphics.enable;
        message = ''
          trellis-server runs TRELLIS on an NVIDIA GPU and needs the driver's libraries in /run/opengl-driver.
          Set hardware.graphics.enable = true; or, for the preview without a GPU, ${option "backend"} = "relief";
        '';
      }
      {
        assertion = cfg.usesGpu && cfg.hasDriver && isBlackwell -> nvidia.open != false;
        message = ''
          trellis-server is built for Blackwell cards (RTX 50, capability ${capability}), and only NVIDIA's open
          kernel module drives those: with the closed one no GPU is found.
          Set hardware.nvidia.open = true; or, for an older card, take the package that is built for it, such
          as ${option "package"} = trellis-server.packages.x86_64-linux.server-ada; (docs/nixos.md, "Another card").
        '';
      }
      {
        assertion = cfg.usesGpu && cfg.hasDriver -> !refusedAsUnfree nvidia.package;
        message = ''
          trellis-server needs NVIDIA's driver, which is unfree, and nixpkgs is not allowed to use it.
          Set nixpkgs.config.allowUnfree = true; or allow the driver alone:
          nixpkgs.config.allowUnfreePredicate = package: builtins.elem (lib.getName package) [ "nvidia-x11" "nvidia-settings" ];
        '';
      }
      {
        assertion = cfg.usesGpu -> !refusedAsUnfree cfg.package;
        message = ''
          ${option "package"} comes from a nixpkgs that is not allowed to use unfree software such as CUDA.
          Leave the option out, which takes the flake's own package, or set nixpkgs.config.allowUnfree = true;
        '';
      }
      {
        assertion = cfg.dataDir != null -> cfg.user != null;
        message = ''
          ${option "dataDir"} is ${toString cfg.dataDir}, which needs an owner that stays the same.
          Set ${option "user"} = "trellis-server"; or leave dataDir out for /var/lib/trellis-server.
        '';
      }
      {
        assertion = cfg.socket != null || isLoopback || mayHaveKeys || mayBeOpen;
        message = ''
          trellis-server listens on ${cfg.settings.listen.host} and asks for no key: everybody who reaches the port
          could use it. Make a key with `trellis keys new NAME --append FILE` and set ${option "apiKeysFile"} to the
          file; or listen on 127.0.0.1 behind a proxy that asks; or, where everybody may,
          ${option "insecureNoAuth"} = true;
        '';
      }
      {
        assertion = (cfg.tls.certificate == null) == (cfg.tls.key == null);
        message = ''
          Of ${option "tls.certificate"} and ${option "tls.key"} only one is set.
          Set both for HTTPS, or neither.
        '';
      }
      {
        assertion = cfg.socket == null || cfg.tls.certificate == null;
        message = ''
          ${option "socket"} and ${option "tls.certificate"} are both set, and there is no TLS on a Unix socket.
          Leave out `tls`: the proxy that connects to the socket is on this machine, and speaks TLS to clients.
        '';
      }
      {
        assertion = cfg.socket == null || !lib.hasPrefix "/run/trellis-server/" (toString cfg.socket);
        message = ''
          ${option "socket"} is ${toString cfg.socket}, in the service's own folder, which nobody else may enter.
          Set ${option "socket"} = "/run/trellis-server.sock";
        '';
      }
      {
        assertion = cfg.socket == null -> cfg.socketGroup == null;
        message = ''
          ${option "socketGroup"} is set, and ${option "socket"} is not.
          Set ${option "socket"} = "/run/trellis-server.sock"; or leave the group out.
        '';
      }
      {
        assertion = cfg.role != "all" -> cfg.store.url != null;
        message = ''
          ${option "role"} is "${cfg.role}", a part among machines that share their jobs, and ${option "store.url"}
          names no job store. Set ${option "store.url"} = "postgres://trellis@db.example.org/trellis";
          or leave the role out for a machine that works alone.
        '';
      }
      {
        assertion = (cfg.store.url == null) == (cfg.store.blobs == null);
        message = ''
          Of ${option "store.url"} and ${option "store.blobs"} only one is set.
          Set both for machines that share their jobs, or neither.
        '';
      }
      {
        assertion = cfg.store.url == null || builtins.match "[a-z]+://[^/@]*:[^/@]*@.*" cfg.store.url == null;
        message = ''
          ${option "store.url"} has a password in it, and would be in the Nix store, which every user of the
          machine can read. Leave it out, and name a file with it: ${option "store.passwordFile"}.
        '';
      }
      {
        assertion = lib.hasPrefix "/" (toString cfg.store.blobs) -> cfg.user != null;
        message = ''
          ${option "store.blobs"} is the folder ${toString cfg.store.blobs}, whose files need an owner with the same
          number on all machines. Set ${option "user"} = "trellis-server"; and users.users.trellis-server.uid.
        '';
      }
      (outsideStore "tls.key" cfg.tls.key)
      (outsideStore "store.passwordFile" cfg.store.passwordFile)
      (outsideStore "store.blobsCredentialsFile" cfg.store.blobsCredentialsFile)
      (outsideStore "apiKeysFile" cfg.apiKeysFile)
      (outsideStore "webhookSecretFile" cfg.webhookSecretFile)
      (outsideStore "environmentFile" cfg.environmentFile)
      (outsideStore "settings.auth.keys_file" (cfg.settings.auth.keys_file or null))
      (outsideStore "settings.webhooks.secret_file" (cfg.settings.webhooks.secret_file or null))
    ]
    ++ lib.mapAttrsToList (name: outsideStore "credentials.${name}") cfg.credentials;

    warnings =
      optional (cfg.usesGpu && !cfg.hasDriver) ''
        trellis-server: no NVIDIA driver is configured, so TRELLIS cannot run.
        Set services.xserver.videoDrivers = [ "nvidia" ]; and hardware.nvidia.open = true; (no display is needed)
        or, for the preview alone, ${option "backend"} = "relief";
      ''
      ++
        optional (cfg.usesGpu && (cfg.package.model or null) == null && !(cfg.settings ? trellis.model))
          ''
            trellis-server: ${option "package"} has no model in it and ${option "model"} names none, so TRELLIS
            waits for one in ${stateDir}/models/TRELLIS-image-large.
            Leave the package out, which takes the one with the model; or bring a model with `trellis model fetch`
            (docs/nixos.md) and name its folder, which also ends this warning.
          '';
  };
}
