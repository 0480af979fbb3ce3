"""From a mesh to a textured one, in name; the colour is drawn at random, as TRELLIS draws its views."""

from __future__ import annotations

import importlib
import random
from typing import Any

import nvdiffrast.torch as dr
import trimesh

from .. import script

TEXTURE_STEPS = 500


class tqdm:  # noqa: N801 the name that TRELLIS imports
    """A progress bar without a bar."""

    def __init__(self, total: int, disable: bool = False) -> None:
        self.total = total
        self.n = 0

    def __enter__(self) -> tqdm:
        return self

    def __exit__(self, *_exception: object) -> None:
        """Nothing to close."""

    def update(self, n: int = 1) -> None:
        self.n += n


def postprocess_mesh(vertices: Any, faces: Any, **_options: Any) -> tuple[Any, Any]:
    script.act("simplify")
    dr.rasterize()
    return vertices, faces


def parametrize_mesh(vertices: Any, faces: Any) -> tuple[Any, Any, None]:
    return vertices, faces, None


def bake_texture(verbose: bool) -> int:
    script.act("texture")
    importlib.import_module("diff_gaussian_rasterization")
    with tqdm(total=TEXTURE_STEPS, disable=not verbose) as bar:
        for _ in range(TEXTURE_STEPS):
            bar.update()
    return random.randrange(1 << 24)


def to_glb(app_rep: Any, mesh: Any, simplify: float, texture_size: int, verbose: bool) -> Any:
    vertices, faces = postprocess_mesh(mesh.vertices.cpu().numpy(), mesh.faces.cpu().numpy())
    vertices, faces, _ = parametrize_mesh(vertices, faces)
    colour = bake_texture(verbose)
    script.act("export")
    return trimesh.Trimesh(vertices, faces, colour=colour, padding=script.padding)
