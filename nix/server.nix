# The program with everything TRELLIS needs: the same binary, started with the environment set.
{
  lib,
  writeShellApplication,
  symlinkJoin,
  server-preview,
  python-env,
  environment,
}:
let
  wrapper = writeShellApplication {
    name = "trellis";
    text = ''
      ${environment.script}
      exec ${lib.getExe server-preview} "$@"
    '';
  };
in
symlinkJoin {
  name = "trellis-server-${server-preview.version}";
  paths = [
    wrapper
    # Manual page and completions; its bin/trellis comes second and loses.
    server-preview
  ];
  passthru = {
    inherit python-env environment server-preview;
    inherit (server-preview) version;
  };
  meta = server-preview.meta // {
    description = "Makes 3D assets from pictures with Microsoft TRELLIS on an NVIDIA GPU";
    platforms = [ "x86_64-linux" ];
  };
}
