# NixOS: `services.trellis-server.enable = true;`. A plain service; what it runs is the package.
{ self }:
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkEnableOption mkIf mkOption types;
  cfg = config.services.trellis-server;
  toml = pkgs.formats.toml { };

  # Checked while building, so that a misspelt key stops the switch and not the service.
  configFile = pkgs.runCommand "trellis.toml" { nativeBuildInputs = [ self.packages.${pkgs.stdenv.hostPlatform.system}.server-preview ]; } ''
    cp ${toml.generate "trellis.toml" cfg.settings} "$out"
    trellis config check "$out"
  '';
in
{
  options.services.trellis-server = {
    enable = mkEnableOption "trellis-server, which makes 3D assets from pictures";

    package = mkOption {
      type = types.package;
      default = self.packages.${pkgs.stdenv.hostPlatform.system}.default;
      defaultText = lib.literalExpression "trellis-server.packages.\${system}.default";
      example = lib.literalExpression "trellis-server.packages.\${system}.server-preview";
      description = ''
        The package to run. The default runs TRELLIS on an NVIDIA GPU; `server-preview` has the
        embedded backend only and needs neither a GPU nor unfree packages.
      '';
    };

    model = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = "/srv/models/TRELLIS-image-large";
      description = ''
        Folder with TRELLIS's model, as `trellis model fetch` makes it. `null` takes the one in the
        state directory.
      '';
    };

    settings = mkOption {
      type = types.submodule { freeformType = toml.type; };
      default = { };
      example = {
        listen.port = 8080;
      };
      description = ''
        The configuration file of trellis-server; docs/configuration.md lists the keys. It is checked
        while the system is built.
      '';
    };
  };

  config = mkIf cfg.enable {
    systemd.services.trellis-server = {
      description = "trellis-server: 3D assets from pictures";
      documentation = [ "https://github.com/microsoft/TRELLIS" ];
      wantedBy = [ "multi-user.target" ];
      wants = [ "network-online.target" ];
      after = [ "network-online.target" ];
      environment = lib.optionalAttrs (cfg.model != null) { TRELLIS_MODEL_PATH = toString cfg.model; };
      serviceConfig = {
        ExecStart = "${lib.getExe cfg.package} --config ${configFile} serve";
        DynamicUser = true;
        StateDirectory = "trellis-server";
        # Keeps what the driver compiles from PTX over restarts.
        CacheDirectory = "trellis-server";
        Restart = "on-failure";
        # Jobs in flight get their time to finish.
        TimeoutStopSec = 60;
      };
    };
  };
}
