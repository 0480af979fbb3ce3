# `nix run .#NAME`: a program with a command.
{
  lib,
  pkgs,
  packages,
}:
let
  app = name: program: command: description: {
    type = "app";
    program = lib.getExe (
      pkgs.writeShellScriptBin "trellis-${name}" ''exec ${lib.getExe program} ${command} "$@"''
    );
    meta = { inherit description; };
  };
in
rec {
  programs = {
    server = packages.default;
    # The plain program: nobody should build CUDA to learn that a machine has no driver. It looks at the
    # machine, and at a Python environment where one is named (`--env`).
    doctor = packages.server-preview;
    generate = packages.default;
  };
  apps = rec {
    server = app "server" programs.server "serve" "Serve the HTTP interface";
    doctor =
      app "doctor" programs.doctor "doctor"
        "Say whether this machine can run TRELLIS, and what to do if not";
    generate = app "generate" programs.generate "generate" "Make an asset from pictures";
    default = server;
  };
}
