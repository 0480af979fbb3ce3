# The environment variables of everything that runs TRELLIS: wrapper and development shell read this one
# file. What the worker gets of them, and why, is in the supervisor's environment.json, which is read here.
# `fixed` has values from the store; `script` also sets those that depend on the machine and the state
# directory.
{
  lib,
  runCommand,
  bash,
  coreutils,
  gnugrep,
  gawk,
  glibc,
  cudaPackages,
  models,
  # With TRELLIS, and with TRELLIS.2; null where it is not run.
  python-env ? null,
  python-env-trellis2 ? null,

  # Whether the models are part of it. Without them they are looked for in the state directory.
  withModels ? true,
}:
let
  lists = lib.importJSON ../crates/trellis-supervisor/src/environment.json;

  # Finds the GPU driver's libraries and prints the folder they are in.
  driver-libraries =
    runCommand "driver-libraries"
      {
        tools = lib.makeBinPath [
          coreutils
          gawk
          gnugrep
        ];
        # Reads the host's cache; on a host without ldconfig this one is used.
        ldconfig = "${lib.getBin glibc}/bin/ldconfig";
        meta.mainProgram = "driver-libraries";
      }
      ''
        mkdir -p "$out/bin"
        {
          echo '#!${lib.getExe bash}'
          echo "PATH=$tools TRELLIS_LDCONFIG=$ldconfig"
          cat ${./driver-libraries.sh}
        } >"$out/bin/driver-libraries"
        chmod +x "$out/bin/driver-libraries"
      '';

  # What Triton compiles with: of the CUDA release that torch was built with, and the compiler that belongs
  # to it.
  tritonTools = {
    CC = "${cudaPackages.backendStdenv.cc}/bin/cc";
    TRITON_PTXAS_PATH = "${lib.getBin cudaPackages.cuda_nvcc}/bin/ptxas";
    TRITON_LIBDEVICE_PATH = "${lib.getBin cudaPackages.cuda_nvcc}/nvvm/libdevice/libdevice.10.bc";
    TRITON_CUDACRT_PATH = "${lib.getInclude cudaPackages.cuda_nvcc}/include";
    TRITON_CUDART_PATH = "${lib.getInclude cudaPackages.cuda_cudart}/include";
  };

  values = list: lib.listToAttrs (map ({ name, value, ... }: lib.nameValuePair name value) list);
  # The user's own value wins, as it does in the supervisor.
  runsTrellis = python-env != null;
  runsTrellis2 = python-env-trellis2 != null;
  defaults =
    values lists.defaults
    // lib.optionalAttrs withModels { U2NET_HOME = "${models.u2net}"; }
    // lib.optionalAttrs (withModels && runsTrellis) {
      TRELLIS_MODEL_PATH = "${models.trellis-image-large}";
      TORCH_HOME = "${models.dinov2.torchHome}";
    }
    // lib.optionalAttrs (withModels && runsTrellis2) {
      TRELLIS_TRELLIS2_MODEL = "${models.trellis2-4b}";
    };
  fixed =
    values lists.fixed
    // tritonTools
    # The interpreters that have the worker and a model's code.
    // lib.optionalAttrs runsTrellis { TRELLIS_WORKER_PYTHON = lib.getExe' python-env "python3"; }
    // lib.optionalAttrs runsTrellis2 {
      TRELLIS_TRELLIS2_PYTHON = lib.getExe' python-env-trellis2 "python3";
    };
  # Below the state or the cache directory, unless the user says otherwise.
  inState =
    lib.optionalAttrs (!withModels) { U2NET_HOME = "models/u2net"; }
    // lib.optionalAttrs (!withModels && runsTrellis) {
      TRELLIS_MODEL_PATH = "models/TRELLIS-image-large";
      TORCH_HOME = "models/torch";
    }
    // lib.optionalAttrs (!withModels && runsTrellis2) {
      TRELLIS_TRELLIS2_MODEL = "models/TRELLIS.2-4B";
    };
  # What is compiled at run time, and would be written into a home that a service has not.
  inCache = {
    CUDA_CACHE_PATH = "cuda";
    WARP_CACHE_PATH = "warp";
    NUMBA_CACHE_DIR = "numba";
    TRITON_CACHE_DIR = "triton";
  };

  exported = lib.concatLines (
    lib.mapAttrsToList (name: value: "export ${name}=${lib.escapeShellArg value}") fixed
    ++ lib.mapAttrsToList (name: value: "export ${name}=\"\${${name}:-${value}}\"") defaults
    ++ lib.mapAttrsToList (
      name: place: "export ${name}=\"\${${name}:-$trellis_state/${place}}\""
    ) inState
    ++ lib.mapAttrsToList (
      name: place: "export ${name}=\"\${${name}:-$trellis_cache/${place}}\""
    ) inCache
  );
in
{
  inherit
    driver-libraries
    withModels
    python-env
    python-env-trellis2
    ;
  # What must be there once everything is built; evaluation cannot see into a package.
  files = lib.attrValues tritonTools;
  # By name, for the checks: everything that is set here and not by the machine.
  names = lib.attrNames (fixed // defaults // inState // inCache) ++ [
    "LD_LIBRARY_PATH"
    "TRITON_LIBCUDA_PATH"
  ];

  # For bash. A systemd unit gives STATE_DIRECTORY and CACHE_DIRECTORY; elsewhere the XDG folders are taken.
  script = ''
    trellis_state=''${TRELLIS_DATA_DIR:-''${STATE_DIRECTORY:-''${XDG_DATA_HOME:-''${HOME:-}/.local/share}/trellis-server}}
    trellis_state=''${trellis_state%%:*}
    trellis_cache=''${CACHE_DIRECTORY:-$trellis_state/cache}
    trellis_cache=''${trellis_cache%%:*}
    ${exported}
  ''
  + lib.optionalString (!withModels && runsTrellis) ''
    # DINOv2's code from the store, where torch.hub looks. A folder of the user's own stays.
    # Where nothing can be written, the program itself says so, and `--help` works all the same.
    trellis_code=$TORCH_HOME/hub/facebookresearch_dinov2_main
    if [[ -L $trellis_code || ! -e $trellis_code ]]; then
      { mkdir -p "''${trellis_code%/*}" && ln -sfn ${models.dinov2.code} "$trellis_code"; } 2>/dev/null || true
    fi
  ''
  + ''

    # Nothing but the driver's own libraries: the host's glibc must not leak in. Where there is no
    # driver the doctor says so, not every command.
    if trellis_driver=$(${lib.getExe driver-libraries} "$trellis_cache/driver" 2>/dev/null); then
      export LD_LIBRARY_PATH=$trellis_driver TRITON_LIBCUDA_PATH=$trellis_driver
    else
      unset LD_LIBRARY_PATH
    fi
  '';
}
