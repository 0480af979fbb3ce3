#!/usr/bin/env bash
# Finds the NVIDIA driver's libraries of this machine and prints the folder to load them from.
#
# usage: driver-libraries LINKS [ROOT]
#
# On NixOS that is /run/opengl-driver/lib. Elsewhere the libraries lie among the host's own (libc and
# so on), so those of the driver are linked one by one into the folder LINKS, and LINKS is printed.
# Exit code 1, with a line on stderr, where there is no driver. ROOT is put before every path: tests.
set -euo pipefail

links=${1:?usage: driver-libraries LINKS [ROOT]}
root=${2:-}

nixos=$root/run/opengl-driver/lib
if [[ -e $nixos/libcuda.so.1 ]]; then
  printf '%s\n' "$nixos"
  exit 0
fi

# What CUDA programs open of the driver: the API, its compilers for PTX, and NVML. On WSL also the
# bridge to the Windows driver.
belongs_to_driver() {
  case ${1##*/} in
    libcuda.so* | libcudadebugger.so* | libnvidia-ml.so* | libnvidia-ptxjitcompiler.so*) ;;
    libnvidia-nvvm*.so* | libnvidia-gpucomp.so*) ;;
    libdxcore.so* | libd3d12.so* | libd3d12core.so*) ;;
    *) return 1 ;;
  esac
}

# Candidates in the order they are believed: WSL's folder first, because distributions there may
# carry a Linux driver that cannot work. Then the loader's cache, 64-bit entries only.
candidates() {
  if [[ -e $root/usr/lib/wsl/lib/libcuda.so.1 ]]; then
    printf '%s\n' "$root"/usr/lib/wsl/lib/*
    return
  fi
  local program cache=$root/etc/ld.so.cache
  [[ -r $cache ]] || return 0
  for program in "$root"/sbin/ldconfig "$root"/usr/sbin/ldconfig "${TRELLIS_LDCONFIG:-ldconfig}"; do
    command -v "$program" >/dev/null || continue
    # "	libcuda.so.1 (libc6,x86-64) => /usr/lib/x86_64-linux-gnu/libcuda.so.1"
    "$program" -C "$cache" -p | awk -v root="$root" '/x86-64/ && $(NF - 1) == "=>" { print root $NF }'
    return
  done
}

found=()
declare -A seen=()
while IFS= read -r library; do
  belongs_to_driver "$library" || continue
  # The first of a name wins, as it does in the loader.
  [[ -e $library && -z ${seen[${library##*/}]:-} ]] || continue
  seen[${library##*/}]=1
  found+=("$library")
done < <(candidates)

if [[ -z ${seen[libcuda.so.1]:-} ]]; then
  printf 'driver-libraries: no libcuda.so.1 in /run/opengl-driver/lib, /usr/lib/wsl/lib or the loader cache\n' >&2
  exit 1
fi

mkdir -p "$links"
seen[libcuda.so]=1
# What an earlier driver left must not be found.
for old in "$links"/*; do
  [[ -L $old && -z ${seen[${old##*/}]:-} ]] && rm -f "$old"
done
for library in "${found[@]}"; do
  ln -sfn "$library" "$links/${library##*/}"
done
# Triton links what it compiles to `-lcuda`, and some distributions keep that name for developers.
[[ -e $links/libcuda.so ]] || ln -sfn libcuda.so.1 "$links/libcuda.so"
printf '%s\n' "$links"
