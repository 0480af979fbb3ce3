"""The pipeline, with TRELLIS.2's names; what it makes is a tetrahedron."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

from trellis import script
from trellis.arrays import table
from trellis.pipelines.samplers import FlowEulerGuidanceIntervalSampler

from .. import models
from ..modules import image_feature_extractor
from ..modules.sparse import SparseTensor
from ..representations import Mesh
from . import rembg
from .base import Pipeline

SAMPLERS = {
    "sparse_structure_sampler": "sparse_structure",
    "shape_slat_sampler": "structured_latent",
    "tex_slat_sampler": "texture_latent",
}
# The voxels of every result, in two of the cubes that a voxel file has.
PLACES = [[1, 2, 3], [1, 2, 300], [0, 2, 3]]


class Trellis2ImageTo3DPipeline(Pipeline):
    """From a picture to a mesh with voxels."""

    model_names_to_load = (
        "sparse_structure_flow_model",
        "sparse_structure_decoder",
        "shape_slat_flow_model_512",
        "shape_slat_flow_model_1024",
        "shape_slat_decoder",
        "tex_slat_flow_model_512",
        "tex_slat_flow_model_1024",
        "tex_slat_decoder",
    )

    @classmethod
    def from_pretrained(cls, path: str, config_file: str = "pipeline.json") -> Trellis2ImageTo3DPipeline:
        pipeline = super().from_pretrained(path, config_file)
        args = pipeline._pretrained_args  # type: ignore[attr-defined]
        for name, place in SAMPLERS.items():
            setattr(pipeline, name, FlowEulerGuidanceIntervalSampler(1e-5, place))
        script.act("hub")
        encoder, remover = args["image_cond_model"], args["rembg_model"]
        pipeline.image_cond_model = getattr(image_feature_extractor, encoder["name"])(**encoder["args"])
        pipeline.rembg_model = getattr(rembg, remover["name"])(**remover["args"])
        pipeline.low_vram = True
        pipeline.pbr_attr_layout = {
            "base_color": slice(0, 3),
            "metallic": slice(3, 4),
            "roughness": slice(4, 5),
            "alpha": slice(5, 6),
        }
        pipeline.tex_slat_sampler_params = {}
        pipeline.shape_slat_normalization = pipeline.tex_slat_normalization = {"mean": [0.0], "std": [1.0]}
        return pipeline

    def get_cond(self, images: list[Any], resolution: int) -> dict[str, Any]:
        assert resolution in {512, 1024}
        script.offloaded = self.low_vram
        script.act("condition")
        return {"cond": list(images), "neg_cond": [None] * len(images)}

    def sample_sparse_structure(
        self, cond: dict[str, Any], resolution: int, num_samples: int, sampler_params: dict[str, Any]
    ) -> Any:
        model = self.models["sparse_structure_flow_model"]
        return self.sparse_structure_sampler.sample(
            model, table([[random.random()]]), **cond, **sampler_params
        ).samples

    def sample_shape_slat(self, cond: dict[str, Any], model: Any, coords: Any, params: dict[str, Any]) -> Any:
        self.shape_slat_sampler.sample(model, coords, **cond, **params)
        # The height of what is decoded, so that it can be told whose it is.
        return SparseTensor(feats=table([[random.random()]]), coords=table([[0, 0, 0, 0]]))

    def sample_shape_slat_cascade(  # noqa: PLR0913 TRELLIS.2's own
        self,
        lr_cond: dict[str, Any],
        cond: dict[str, Any],
        flow_model_lr: Any,
        flow_model: Any,
        lr_resolution: int,
        resolution: int,
        coords: Any,
        sampler_params: dict[str, Any],
        max_num_tokens: int,
    ) -> tuple[Any, int]:
        coarse = self.sample_shape_slat(lr_cond, flow_model_lr, coords, sampler_params)
        fine = self.sample_shape_slat(cond, flow_model, coarse.feats, sampler_params)
        return fine, resolution if max_num_tokens >= 1000 else 1024

    def sample_tex_slat(self, cond: dict[str, Any], model: Any, shape: Any, params: dict[str, Any]) -> Any:
        self.tex_slat_sampler.sample(model, shape.feats, **cond, **params)
        return shape.replace(table([[random.random()]]))

    def decode_shape_slat(self, slat: Any, resolution: int) -> tuple[list[Mesh], list[Any]]:
        self._levels("shape_slat_decoder")
        height = 1.0 + slat.feats.tolist()[0][0]
        corners = [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, height]]
        faces = [[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]]
        mesh = models.flexible_dual_grid_to_mesh(
            table(PLACES),
            table([[0.5, 1.25, height - 1.0]] * len(PLACES)),
            table([[True, False, True]] * len(PLACES)),
            table(corners),
            table([] if script.empty else faces),
        )
        return [mesh], []

    def decode_tex_slat(self, slat: Any, subs: list[Any]) -> list[Any]:
        self._levels("tex_slat_decoder")
        [colour] = slat.feats.tolist()[0]
        held = table([[colour, 0.25, 2.0, 0.0, 0.5, 1.0]] * len(PLACES))
        places = table([[0, *place] for place in PLACES])
        return [SimpleNamespace(coords=places, feats=held, shape=(1, 6), spatial_shape=(8, 8, 8))]

    def _levels(self, name: str) -> None:
        for level in self.models[name].blocks:
            for block in level:
                block()
