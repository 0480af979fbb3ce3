# The program with everything TRELLIS or TRELLIS.2 needs: the same binary, started with the environment set.
{
  lib,
  runCommand,
  writeShellApplication,
  coreutils,
  symlinkJoin,
  server-preview,
  environment,
  models,
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

  # For distributions with systemd: the service of one user, out of the profile that the package is
  # installed to, so that an upgrade of the profile is one of the service.
  userUnit = runCommand "trellis-server-user-unit" { } ''
    install -D -m 644 ${./trellis-server.service} "$out/share/systemd/user/trellis-server.service"
  '';
in
symlinkJoin {
  name = "trellis-server-${server-preview.version}";
  paths = [
    wrapper
    userUnit
    # Manual page and completions; its bin/trellis comes second and loses.
    server-preview
  ];
  # What the wrapper names and evaluation cannot see.
  postBuild = ''
    for file in ${lib.escapeShellArgs environment.files} \
      "$out"/share/{man/man1/trellis.1.gz,bash-completion/completions/trellis.bash}; do
      [ -e "$file" ] || { echo "$name: there is no $file" >&2; exit 1; }
    done
    cmp -s "$out/bin/trellis" ${lib.getExe wrapper}
  '';
  passthru = {
    inherit environment server-preview;
    inherit (server-preview) version;
    inherit (environment) python-env-trellis2;
    # That of the first model that it runs.
    python-env =
      if environment.python-env != null then environment.python-env else environment.python-env-trellis2;
    # The folder of TRELLIS in its closure; `null` where there is none.
    model =
      if environment.withModels && environment.python-env != null then
        models.trellis-image-large
      else
        null;
  };
  meta = server-preview.meta // {
    description = "Makes 3D assets from pictures with Microsoft TRELLIS or TRELLIS.2 on an NVIDIA GPU";
    platforms = [ "x86_64-linux" ];
  };
}
