# The program with everything TRELLIS needs: the same binary, started with the environment set.
{
  lib,
  writeShellApplication,
  coreutils,
  symlinkJoin,
  server-preview,
  python-env,
  environment,
}:
let
  wrapper = writeShellApplication {
    name = "trellis";
    runtimeInputs = [ coreutils ];
    text = ''
      ${environment.script}
      # `trellis model fetch` is asked for by name and may go out. Workers stay offline: the server sets
      # the variable for each of them itself.
      for word; do
        [[ $word != model ]] || unset HF_HUB_OFFLINE
      done
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
