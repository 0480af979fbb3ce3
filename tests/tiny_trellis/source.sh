#!/usr/bin/env bash
# Copies the inference part of Microsoft's TRELLIS, with the one change that nix/python/trellis.nix makes.
#
#   source.sh TRELLIS FLEXICUBES FOLDER [DEVICE]     checkouts of microsoft/TRELLIS and of its submodule
#
# DEVICE: where the mesh decoder keeps its grid, for which it asks for `cuda` by itself.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$3"
cp -r "$1/trellis" "$3/trellis"
rm -rf "$3/trellis/trainers" "$3/trellis/datasets"
mkdir -p "$3/trellis/representations/mesh/flexicubes"
cp "$2/flexicubes.py" "$2/tables.py" "$3/trellis/representations/mesh/flexicubes/"

# The text pipeline is imported when it is asked for.
pipelines=$3/trellis/pipelines/__init__.py
chmod u+w "$pipelines"
sed -i -e '/^from .trellis_text_to_3d import/d' -e "s/globals()\[config\['name'\]\]/_pipeline(config['name'])/" "$pipelines"
cat "$here/../../nix/python/lazy-text-pipeline.py" >>"$pipelines"
if [[ ${4:-cuda} != cuda ]]; then
  sed -i "s/device=\"cuda\"/device=\"$4\"/" "$3"/trellis/representations/mesh/{cube2mesh.py,flexicubes/flexicubes.py}
fi
