# What the scripts here share: their arguments, and the reasons not to run. Sourced; $here is their folder.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # read and set by the scripts that source this

# shellcheck source=tests/needs.sh
. "$here/../needs.sh"

# Reads [--env PYTHON] [--real-size] [TRELLIS] into PYTHON, ready, real_size and trellis.
arguments() {
  PYTHON=python3 ready=no real_size=no
  while [[ ${1:-} == --* ]]; do
    case $1 in
      --env)
        PYTHON=${2:?--env needs the path of an interpreter} ready=yes
        shift
        ;;
      --real-size) real_size=yes ;;
      *)
        echo "unknown option: $1" >&2
        exit 2
        ;;
    esac
    shift
  done
  export PYTHON
  trellis=$(realpath -m "${1:-$here/../../target/release/trellis}")
}

gpu_or_skip() {
  nvidia-smi -L >/dev/null 2>&1 || skip "no NVIDIA GPU is here"
  "$PYTHON" -c 'import safetensors, torch, sys; sys.exit(not torch.cuda.is_available())' 2>/dev/null ||
    skip "$PYTHON has no torch with CUDA and safetensors"
  [[ -x $trellis ]] || skip "$trellis is not there: build it with cargo build --release -p trellis-cli"
}

# launcher FILE FOLDERS [NAME=VALUE…]: an interpreter for `--python` that finds FOLDERS, separated by colons, too. A
# worker's environment is a clean one, so all that it needs stands in the file.
launcher() {
  cat >"$1" <<LAUNCHER
#!/usr/bin/env bash
export PYTHONPATH="\${PYTHONPATH:-}:$2" ${*:3}
exec "$(command -v "$PYTHON")" "\$@"
LAUNCHER
  chmod +x "$1"
}

# folders_or_skip NAME…: these variables name folders.
folders_or_skip() {
  local name
  for name; do
    [[ -d ${!name:-} ]] || skip "\$$name names no folder"
  done
}

# Which attention TRELLIS.2 takes: torch's own in the place of flash-attn, unless an environment was named. Sets
# `folders` and `variables`, which are for `launcher`.
attention() {
  folders=${TRELLIS_PACKAGES:-} variables=(ATTN_BACKEND="${ATTN_BACKEND:-xformers}")
  if [[ $ready == no ]]; then
    folders+=:$here/../tiny_trellis2/attention
    variables=(ATTN_BACKEND=sdpa SPARSE_ATTN_BACKEND=flash_attn)
  fi
}

# checkpoints LAUNCHER SCRIPT OPTION…: writes random weights; what the script prints is shown where it fails.
checkpoints() {
  local log
  log=$(mktemp)
  "$@" >"$log" 2>&1 || {
    tail -n 20 "$log"
    exit 1
  }
  rm "$log"
}
