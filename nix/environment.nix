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
    # What the driver compiles from PTX at the first run is minutes of work and must not be thrown
    # out: the largest cache that the driver takes.
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

    trellis_state=''${TRELLIS_DATA_DIR:-''${STATE_DIRECTORY:-''${XDG_DATA_HOME:-''${HOME:-}/.local/share}/trellis-server}}
    trellis_state=''${trellis_state%%:*}
    trellis_cache=''${CACHE_DIRECTORY:-$trellis_state/cache}
    trellis_cache=''${trellis_cache%%:*}
    export TRELLIS_MODEL_PATH=''${TRELLIS_MODEL_PATH:-$trellis_state/models/TRELLIS-image-large}
    export TORCH_HOME=''${TORCH_HOME:-$trellis_state/models/torch}
    export CUDA_CACHE_PATH=$trellis_cache/cuda
    # What else compiles at run time, and would write into a home that a service has not.
    export WARP_CACHE_PATH=$trellis_cache/warp
    export NUMBA_CACHE_DIR=$trellis_cache/numba

    # DINOv2's code from the store, where torch.hub looks. A folder of the user's own stays.
    mkdir -p "$TORCH_HOME/hub/checkpoints"
    trellis_link() { if [[ -L $2 || ! -e $2 ]]; then ln -sfn "$1" "$2"; fi; }
    trellis_link ${models.dinov2.code} "$TORCH_HOME/hub/facebookresearch_dinov2_main"
    ${lib.optionalString (models.dinov2.weights != null) ''
      trellis_link ${models.dinov2.weights} "$TORCH_HOME/hub/checkpoints/${models.dinov2.file}"
    ''}

    # Nothing but the driver's own libraries: the host's glibc must not leak in.
    if trellis_driver=$(${lib.getExe driver-libraries} "$trellis_cache/driver"); then
      export LD_LIBRARY_PATH=$trellis_driver
    else
      unset LD_LIBRARY_PATH
    fi
  '';
}
