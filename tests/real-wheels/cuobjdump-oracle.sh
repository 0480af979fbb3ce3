#!/usr/bin/env bash
# Compares the doctor's lists of linked code with cuobjdump's, library by library.
#
#   tests/real-wheels/cuobjdump-oracle.sh ENVIRONMENT [TRELLIS]
#
# cuobjdump is taken from CUOBJDUMP, PATH, CUDA_HOME or /usr/local/cuda, else from triton's wheel in the
# environment. Prints a table; fails where a list differs. `skipped: why` where there is no cuobjdump.
set -euo pipefail

if (($# < 1)); then
  echo "usage: tests/real-wheels/cuobjdump-oracle.sh ENVIRONMENT [TRELLIS]" >&2
  exit 2
fi
environment=$(realpath "$1")
trellis=$(realpath "${2:-$(dirname "${BASH_SOURCE[0]}")/../../target/release/trellis}")
command -v jq >/dev/null || {
  echo "skipped: jq is not here"
  exit 0
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cuobjdump=${CUOBJDUMP:-$(command -v cuobjdump || true)}
for candidate in "${CUDA_HOME:-/usr/local/cuda}/bin/cuobjdump" /usr/local/cuda/bin/cuobjdump; do
  [[ -n $cuobjdump || ! -x $candidate ]] || cuobjdump=$candidate
done
if [[ -z $cuobjdump ]]; then
  # Unpacking a wheel by hand loses the right to execute.
  bundled=$(find -L "$environment" -path '*/triton/backends/nvidia/bin/cuobjdump' -print -quit)
  if [[ -n $bundled ]]; then
    cuobjdump=$scratch/cuobjdump
    install -m 755 "$bundled" "$cuobjdump"
  fi
fi
if [[ -z $cuobjdump ]]; then
  echo "skipped: no cuobjdump in PATH, CUDA_HOME or triton's wheel"
  exit 0
fi
"$cuobjdump" --version | grep -o 'release [0-9.]*' >"$scratch/version"
echo "cuobjdump $(<"$scratch/version")"
echo

"$trellis" doctor --env "$environment" --capability 12.0 --json >"$scratch/report.json" || (($? == 2))

# From lines `sm_90a COUNT` to `sm_90a:65 …`, added up and in order. The letter f is left out: cuobjdump does
# not print it.
listed() {
  awk '{ sub(/f$/, "", $1); count[$1] += $2 } END { for (arch in count) print arch, count[arch] }' |
    sort -V | sed 's/ /:/' | paste -sd' '
}
theirs() {
  # A library without linked code makes cuobjdump fail: it then lists nothing.
  { "$cuobjdump" "$1" "$2" 2>/dev/null || true; } |
    { grep -oE 'sm_[0-9]+[af]?\.(cubin|ptx)' || true; } |
    sed -E 's/\.(cubin|ptx)$/ 1/' | listed
}
ours() {
  jq -r --arg library "$1" --arg key "$2" '
    .libraries[] | select(.library == $library) | .linked[$key][]
    | "\(.arch | sub("compute_"; "sm_")) \(.count)"' "$scratch/report.json" | listed
}

echo '| library | SASS | PTX | equal |'
echo '|---|---|---|---|'
differing=0
while IFS= read -r library; do
  path=$(find -L "$environment" -path "*/site-packages/$library" -print -quit)
  [[ -n $path ]] || path=$library
  sass=$(ours "$library" sass)
  ptx=$(ours "$library" ptx)
  if [[ $sass == "$(theirs --list-elf "$path")" && $ptx == "$(theirs --list-ptx "$path")" ]]; then
    equal=yes
  else
    equal=NO
    differing=$((differing + 1))
    echo "differs: $library: cuobjdump has $(theirs --list-elf "$path") / $(theirs --list-ptx "$path")" >&2
  fi
  echo "| \`$library\` | ${sass:-–} | ${ptx:-–} | $equal |"
done < <(jq -r '.libraries[].library' "$scratch/report.json")
echo
if ((differing > 0)); then
  echo "$differing libraries differ" >&2
  exit 1
fi
echo "all equal"
