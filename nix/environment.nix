# The environment variables of everything that runs TRELLIS: wrapper, development shell and service
# read this one file. `fixed` has values from the store; `script` also sets those that depend on the
# machine and the state directory.
{
  lib,
  runCommand,
  bash,
  coreutils,
  gnugrep,
  gawk,
  glibc,
  models,
  python-env,
}:
let
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

  fixed = {
    # Exactly so: TRELLIS ignores a name it does not know, without a word, and takes flash-attn.
    ATTN_BACKEND = "xformers";
    # Read by DINOv2 only, which runs in fp32: the one fp32 operator of the pinned xformers stops at
    # capability 9.0, and the first picture would fail with "No operator found" on a 5090.
    XFORMERS_DISABLED = "1";
    SPARSE_BACKEND = "spconv";
    # The other algorithms try kernels that cumm compiles at run time with its own NVRTC 12.6, which
    # does not know sm_120; `native` uses the prebuilt ones alone. It also starts without tuning.
    SPCONV_ALGO = "native";
    # Nothing is fetched at run time: a missing file is an error that says so.
    HF_HUB_OFFLINE = "1";
    U2NET_HOME = "${models.u2net}";
    # Holds what the driver compiles from PTX at the first run, minutes of work: the driver's own
    # limit, which is its maximum, so that nothing is thrown out.
    CUDA_CACHE_MAXSIZE = toString (4 * 1024 * 1024 * 1024);
    # The interpreter that has the worker and TRELLIS.
    TRELLIS_WORKER_PYTHON = lib.getExe' python-env "python3";
  };
in
{
  inherit fixed driver-libraries;

  # For bash. Sets what is above, then what a path on this machine decides. A systemd unit gives
  # STATE_DIRECTORY and CACHE_DIRECTORY; elsewhere the XDG folders are taken.
  script = ''
    ${lib.toShellVars fixed}
    export ${lib.concatStringsSep " " (lib.attrNames fixed)}

    trellis_state=''${TRELLIS_DATA_DIR:-''${STATE_DIRECTORY:-''${XDG_DATA_HOME:-$HOME/.local/share}/trellis-server}}
    trellis_cache=''${CACHE_DIRECTORY:-$trellis_state/cache}
    export TRELLIS_MODEL_PATH=''${TRELLIS_MODEL_PATH:-$trellis_state/models/TRELLIS-image-large}
    export TORCH_HOME=''${TORCH_HOME:-$trellis_state/models/torch}
    export CUDA_CACHE_PATH=$trellis_cache/cuda
    export WARP_CACHE_PATH=$trellis_cache/warp

    # Nothing but the driver's own libraries: the host's glibc must not leak in.
    if trellis_driver=$(${lib.getExe driver-libraries} "$trellis_cache/driver"); then
      export LD_LIBRARY_PATH=$trellis_driver
    else
      unset LD_LIBRARY_PATH
    fi
  '';
}
