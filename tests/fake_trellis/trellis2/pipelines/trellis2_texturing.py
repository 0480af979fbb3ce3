"""The second pipeline, which textures a given mesh, with TRELLIS.2's names."""

from __future__ import annotations

import json
import os
import random
from types import SimpleNamespace
from typing import Any

import nvdiffrast.torch as dr
import o_voxel
import trimesh
from PIL import Image
from trellis import script
from trellis.arrays import table

from ..modules.sparse import SparseTensor
from .base import Pipeline


class Trellis2TexturingPipeline(Pipeline):
    """From a mesh and a picture to the mesh with a texture, which is one colour here."""

    tex_slat_sampler: Any

    def preprocess_mesh(self, mesh: Any) -> Any:
        """Leaves it where it is."""
        return mesh

    def encode_shape_slat(self, mesh: Any, resolution: int) -> Any:
        found = {"vertices": len(mesh.vertices), "faces": len(mesh.faces), "resolution": resolution}
        (script.FOLDER / "encoded.json").write_text(json.dumps(found), "utf-8")
        script.act("sparse_structure")
        o_voxel.convert.mesh_to_flexible_dual_grid(
            mesh.vertices, mesh.faces, grid_size=resolution, timing=True
        )
        encoder = self.models["shape_slat_encoder"]
        encoder.begin()
        for level in encoder.blocks:
            for block in level:
                block()
        return SparseTensor(feats=table([[random.random()]]), coords=table([[0, 0, 0, 0]]))

    def sample_tex_slat(self, cond: dict[str, Any], model: Any, shape: Any, params: dict[str, Any]) -> Any:
        self.tex_slat_sampler.sample(model, shape.feats, **cond, **params)
        return shape.replace(table([[random.random()]]))

    def decode_tex_slat(self, slat: Any) -> Any:
        for level in self.models["tex_slat_decoder"].blocks:
            for block in level:
                block()
        return slat

    def postprocess_mesh(self, mesh: Any, voxels: Any, resolution: int, texture_size: int) -> Any:
        assert resolution in {512, 1024} and texture_size >= 1024
        script.act("texture")
        (script.FOLDER / "cores.json").write_text(str(len(os.sched_getaffinity(0))), "utf-8")
        dr.rasterize()
        made = trimesh.Trimesh(mesh.vertices, mesh.faces, colour=random.randrange(1 << 24))
        made.visual = SimpleNamespace(material=SimpleNamespace(baseColorTexture=Image.new("RGBA", (8, 8))))
        script.act("export")
        return made
