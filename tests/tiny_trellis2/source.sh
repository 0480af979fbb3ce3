#!/usr/bin/env bash
# Copies the inference part of Microsoft's TRELLIS.2, and has it make a sphere (sphere.py).
#
#   source.sh TRELLIS2 FOLDER [DEVICE]     a checkout of microsoft/TRELLIS.2
#
# DEVICE: where pictures go, which TRELLIS.2 brings to `cuda` by itself.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$2"
cp -r "$1/trellis2" "$2/trellis2"
rm -rf "$2/trellis2/trainers" "$2/trellis2/datasets"
chmod -R u+w "$2/trellis2"
cat "$here/sphere.py" >>"$2/trellis2/pipelines/trellis2_image_to_3d.py"
if [[ ${3:-cuda} != cuda ]]; then
  sed -i "s/\.cuda()/.to(\"$3\")/" "$2"/trellis2/{modules/image_feature_extractor.py,representations/mesh/base.py}
fi
