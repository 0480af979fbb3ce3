#!/usr/bin/env bash
# The doctor on a kaolin that was built for torch 2.8, under the pinned torch 2.9.1.
#
#   KAOLIN_SOURCE=CHECKOUT tests/real-wheels/kaolin-torch28.sh FOLDER [TRELLIS]
#
# One C++ file of kaolin, the one whose indexing compares a `c10::SymInt`, is compiled against the headers of torch
# 2.8.0 and set beside the libraries of the pinned torch. The doctor must name the symbol, kaolin and the torch that
# it was built for. Compiled against the pinned torch's own headers, the same file must not be told.
#
# KAOLIN_SOURCE is a checkout, or a repository without a work tree, that has the pinned revision. FOLDER gets the
# wheels of both torches and what is unpacked of them, 4 GB; what is there already is taken. TRELLIS is the program
# (default: target/release/trellis). Needs g++, git, readelf and python3 with pip, but neither a GPU nor CUDA.
# Ends with 77 where something is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

if (($# < 1)); then
  echo "usage: KAOLIN_SOURCE=CHECKOUT tests/real-wheels/kaolin-torch28.sh FOLDER [TRELLIS]" >&2
  exit 2
fi

skip() {
  echo "skipped: $1"
  exit 77
}

for tool in g++ git nm readelf python3; do
  command -v "$tool" >/dev/null || skip "$tool is not here"
done
python3 -m pip --version >/dev/null 2>&1 || skip "python3 has no pip"
trellis=$(realpath "${2:-target/release/trellis}")
[[ -x $trellis ]] || skip "$trellis is not here; build it with \`cargo build --release --bin trellis\`"
folder=$(mkdir -p "$1" && cd "$1" && pwd)
free=$(df --output=avail -B1 "$folder" | tail -1)
[[ -d $folder/pinned ]] || ((free > 5000000000)) || skip "5 GB are needed in $folder, $free bytes are free"

# pin KEY…: the value under these keys of the pins; the first of a list.
pin() {
  python3 - "$@" <<'PYTHON'
import json, sys
value = json.load(open("nix/pins.json"))
for key in sys.argv[1:]:
    value = value[key]
print(value[0] if isinstance(value, list) else value)
PYTHON
}
revision=$(pin sources kaolin rev)
version=$(pin sources kaolin version)
torch=$(pin wheels torch version)
symbol=$(pin abi kaolin needs_from_torch)
older=$(pin abi kaolin last_in_torch)
runtime=$(pin wheels nvidia-cuda-runtime-cu12 version)
[[ -n ${KAOLIN_SOURCE:-} ]] || skip "KAOLIN_SOURCE names no checkout of kaolin"
git -C "$KAOLIN_SOURCE" cat-file -e "$revision^{commit}" 2>/dev/null \
  || skip "$KAOLIN_SOURCE has no revision $revision of kaolin"

# unpack NAME REQUIREMENT PATTERN: those files of a wheel that match, in FOLDER/NAME.
unpack() {
  local name=$1 requirement=$2 pattern=$3
  [[ ! -d $folder/$name ]] || return 0
  rm -rf "$folder/wheel" "$folder/$name.part"
  local platforms=() platform
  for platform in manylinux_2_5 manylinux_2_12 manylinux2010 manylinux2014 manylinux_2_17 manylinux_2_28; do
    platforms+=(--platform "${platform}_x86_64")
  done
  python3 -m pip download --quiet --no-cache-dir --no-deps --only-binary=:all: --python-version 3.12 \
    "${platforms[@]}" --dest "$folder/wheel" "$requirement" || skip "$requirement cannot be downloaded"
  python3 - "$folder"/wheel/*.whl "$folder/$name.part" "$pattern" <<'PYTHON'
import re, sys, zipfile
wheel, folder, pattern = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    archive.extractall(folder, [name for name in archive.namelist() if re.search(pattern, name)])
PYTHON
  rm -rf "$folder/wheel"
  mv "$folder/$name.part" "$folder/$name"
  echo "unpacked $requirement"
}

unpack older "torch==$older" '^torch/include/'
unpack pinned "torch==$torch" '^torch/include/|\.so|^torch/version\.py|\.dist-info/(METADATA|RECORD)$'
unpack runtime "nvidia-cuda-runtime-cu12==$runtime" /include/
# `crt/host_defines.h`, which the runtime's headers include, comes with the compiler of the same release.
unpack compiler "nvidia-cuda-nvcc-cu12==${runtime%.*}.*" /include/

kaolin=$folder/kaolin-$revision
file=kaolin/csrc/ops/spc/feature_grids.cpp
for path in "$file" kaolin/csrc/check.h kaolin/csrc/spc_math.h kaolin/csrc/utils.h; do
  mkdir -p "$(dirname "$kaolin/$path")"
  git -C "$KAOLIN_SOURCE" show "$revision:$path" >"$kaolin/$path"
done

# What the pinned torch's libraries need from NVIDIA's wheels: empty libraries of the same names, so that nothing
# but a symbol can be missing. Those of the driver are not expected in an environment.
packages=$folder/environment/lib/python3.12/site-packages
rm -rf "$folder/environment"
mkdir -p "$packages/nvidia/lib" "$packages/kaolin" "$packages/kaolin-$version.dist-info"
ln -s "$folder/pinned/torch" "$packages/torch"
for record in "$folder"/pinned/*.dist-info; do
  ln -s "$record" "$packages/"
done
readelf -d "$packages"/torch/lib/*.so* | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort -u \
  | grep -E '^lib(cu|nccl|nvrtc|nvshmem|nvJitLink|nvToolsExt)' | grep -v '^libcuda\.so' \
  | while read -r name; do
    g++ -shared -nostdlib -x c /dev/null -Wl,-soname,"$name" -o "$packages/nvidia/lib/$name"
  done
printf 'Name: kaolin\nVersion: %s\n' "$version" >"$packages/kaolin-$version.dist-info/METADATA"
: >"$packages/kaolin/__init__.py"

# extension TORCH: kaolin/_C.so of the one file, with that torch's headers, as kaolin's setup.py compiles it.
extension() {
  local headers=$folder/$1/torch/include object=$folder/kaolin.o
  g++ -std=c++17 -O2 -fPIC -w -DWITH_CUDA -I "$headers" -I "$headers/torch/csrc/api/include" \
    -I "$folder/runtime/nvidia/cuda_runtime/include" -I "$folder/compiler/nvidia/cuda_nvcc/include" \
    -c "$kaolin/$file" -o "$object"
  # What kaolin's other files define.
  nm -u "$object" | awk '/ _ZN6kaolin/ { printf "asm(\".globl %s\\n%s:\");\n", $2, $2 }' >"$folder/others.c"
  g++ -shared -fPIC "$object" -x c "$folder/others.c" -x none -L "$packages/torch/lib" -Wl,--no-as-needed -l:libc10.so \
    -l:libtorch_cpu.so -l:libtorch.so -o "$packages/kaolin/_C.so"
}

# What the doctor says of kaolin's symbols: sentence and symbols, or nothing.
doctor() {
  local report=$folder/report.json status=0
  "$trellis" doctor --env "$folder/environment" --capability 12.0 --json >"$report" || status=$?
  # 2 is the answer where errors are found: TRELLIS's other packages are not here.
  ((status == 2)) || { echo "the doctor ended with $status" >&2; return 1; }
  python3 - "$report" <<'PYTHON'
import json, sys
for finding in json.load(open(sys.argv[1]))["findings"]:
    if finding["kind"] == "missing_symbols" and finding["subject"].startswith("kaolin/"):
        print(finding["subject"], finding["message"], *finding["evidence"], sep="\n")
PYTHON
}

fail() {
  echo "failed: $1" >&2
  exit 1
}

extension older
told=$(doctor)
printf '%s\n' "$told"
[[ $told == "kaolin/_C.so"* ]] || fail "the doctor does not name kaolin"
[[ $told == *"$symbol"* ]] || fail "the doctor does not name $symbol"
[[ $told == *"built for torch $older, and torch $torch"* ]] || fail "the doctor does not name torch $older"
extension pinned
told=$(doctor)
[[ -z $told ]] || fail "kaolin for torch $torch is told as well: $told"
echo "compiled against torch $torch's headers, the same file is not told"
