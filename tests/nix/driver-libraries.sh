#!/usr/bin/env bash
# The driver look-up on made-up machines: NixOS, a distribution with a loader cache, WSL, no driver.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

look_up() { bash nix/driver-libraries.sh "$work/links" "$1" 2>"$work/stderr"; }

expect() { # WHAT EXPECTED FOUND
  if [[ $2 == "$3" ]]; then
    ((++passed))
  else
    ((++failed))
    printf 'FAILED %s\n  expected: %s\n  found:    %s\n' "$1" "$2" "$3"
  fi
}

linked() { find "$work/links" -mindepth 1 -printf '%f\n' | sort | paste -sd' '; }

# A distribution: libraries among the host's own, and an ldconfig that prints its cache.
distribution=$work/distribution
libraries=$distribution/usr/lib/x86_64-linux-gnu
mkdir -p "$libraries" "$distribution/etc" "$distribution/sbin"
touch "$distribution/etc/ld.so.cache"
for library in libc.so.6 libcuda.so.1 libnvidia-ml.so.1 libnvidia-ptxjitcompiler.so.1 \
  libnvidia-gpucomp.so.575.57 libGL.so.1; do
  touch "$libraries/$library"
done
printf '#!%s\n' "$BASH" >"$distribution/sbin/ldconfig"
cat >>"$distribution/sbin/ldconfig" <<'LDCONFIG'
at=/usr/lib/x86_64-linux-gnu
printf '7 libs found in cache\n'
for library in libc.so.6 libcuda.so.1 libnvidia-ml.so.1 libnvidia-ptxjitcompiler.so.1 \
  libnvidia-gpucomp.so.575.57 libGL.so.1; do
  printf '\t%s (libc6,x86-64) => %s/%s\n' "$library" "$at" "$library"
done
printf '\tlibcuda.so.1 (libc6) => /usr/lib/i386-linux-gnu/libcuda.so.1\n'
LDCONFIG
chmod +x "$distribution/sbin/ldconfig"

expect "prints the folder of links" "$work/links" "$(look_up "$distribution")"
expect "links the driver's libraries and no other of the host" \
  "libcuda.so libcuda.so.1 libnvidia-gpucomp.so.575.57 libnvidia-ml.so.1 libnvidia-ptxjitcompiler.so.1" "$(linked)"
expect "links lead to the host's files" "$libraries/libcuda.so.1" "$(readlink "$work/links/libcuda.so.1")"

expect "has the name that Triton links to" "$libraries/libcuda.so.1" "$(readlink -f "$work/links/libcuda.so")"

rm "$libraries/libnvidia-gpucomp.so.575.57"
look_up "$distribution" >/dev/null
expect "forgets what an earlier driver left" \
  "libcuda.so libcuda.so.1 libnvidia-ml.so.1 libnvidia-ptxjitcompiler.so.1" "$(linked)"

# WSL: its own folder wins over a Linux driver in the cache.
mkdir -p "$distribution/usr/lib/wsl/lib"
touch "$distribution/usr/lib/wsl/lib/"{libcuda.so.1,libdxcore.so,libnvwgf2umx.so}
look_up "$distribution" >/dev/null
expect "takes WSL's libraries there" "libcuda.so libcuda.so.1 libdxcore.so" "$(linked)"
expect "WSL's folder comes before the cache" "$distribution/usr/lib/wsl/lib/libcuda.so.1" \
  "$(readlink "$work/links/libcuda.so.1")"

# NixOS: that folder holds nothing else, so it is used as it is.
mkdir -p "$work/nixos/run/opengl-driver/lib"
touch "$work/nixos/run/opengl-driver/lib/libcuda.so.1"
expect "NixOS's folder is used as it is" "$work/nixos/run/opengl-driver/lib" "$(look_up "$work/nixos")"

mkdir "$work/bare"
expect "without a driver it fails" "failed" "$(look_up "$work/bare" || echo failed)"
expect "and says where it looked" 1 "$(grep -c 'no libcuda.so.1 in /run/opengl-driver/lib' "$work/stderr")"

printf 'driver look-up: %d passed, %d failed\n' "$passed" "$failed"
((failed == 0))
