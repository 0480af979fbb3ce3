"""From a mesh with voxels to a textured one, in name."""

from __future__ import annotations

import json
import random
from types import SimpleNamespace
from typing import Any

import nvdiffrast.torch as dr
import trimesh
from PIL import Image
from trellis import script

PARTS = ("simplify", "simplify", "simplify", "simplify", "texture", "texture")


class tqdm:  # noqa: N801 the name that o_voxel imports
    """A progress bar without a bar."""

    def __init__(self, **_options: Any) -> None:
        """Nothing to show."""

    def update(self, n: int) -> None:
        """Nothing to show."""

    def set_description(self, text: str) -> None:
        """Nothing to show."""

    def close(self) -> None:
        """Nothing to show."""


def to_glb(vertices: Any, faces: Any, use_tqdm: bool = False, **options: Any) -> Any:
    assert use_tqdm and options["texture_size"] >= 1024 and options["remesh_project"] == 0
    settings = ("decimation_target", "texture_size", "remesh", "voxel_size")
    (script.FOLDER / "to_glb.json").write_text(json.dumps({name: options[name] for name in settings}), "utf-8")
    bar = tqdm(total=len(PARTS), desc="Extracting GLB")
    for part in PARTS:
        bar.set_description(part)
        script.act(part)
        if part == "texture":
            dr.rasterize()
        bar.update(1)
    bar.close()
    mesh = trimesh.Trimesh(vertices, faces, colour=random.randrange(1 << 24))
    mesh.visual = SimpleNamespace(material=SimpleNamespace(baseColorTexture=Image.new("RGBA", (8, 8))))
    script.act("export")
    return mesh
