# `nix run .#NAME`: the default package's program with a command.
{
  lib,
  pkgs,
  packages,
}:
let
  program = lib.getExe packages.default;
  app = name: description: command: {
    type = "app";
    program = lib.getExe (
      pkgs.writeShellScriptBin "trellis-${name}" ''exec ${program} ${command} "$@"''
    );
    meta = { inherit description; };
  };
in
rec {
  server = app "server" "Serve the HTTP interface" "serve";
  doctor = app "doctor" "Say whether this machine can run TRELLIS, and what to do if not" "doctor";
  generate = app "generate" "Make an asset from pictures" "generate";
  default = server;
}
