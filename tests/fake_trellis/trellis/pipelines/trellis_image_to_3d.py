"""The pipeline, with TRELLIS's names; what it makes is a tetrahedron that depends on the seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import torch

from .. import script
from ..arrays import REAL, table
from ..modules.sparse import SparseTensor
from . import samplers
from .base import Pipeline


class Gaussian:
    """Splats that know how to save themselves."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def save_ply(self, path: str) -> None:
        script.act("export")
        with open(path, "w", encoding="ascii") as file:
            file.write("ply\nformat ascii 1.0\nelement vertex 2\n")
            file.writelines(f"property float {name}\n" for name in ("x", "y", "z", "opacity"))
            file.write(f"end_header\n0 0 0 1\n1 0 {self.seed % 1000} 1\n")


class TrellisImageTo3DPipeline(Pipeline):
    """From pictures to a mesh and splats."""

    @staticmethod
    def from_pretrained(path: str) -> TrellisImageTo3DPipeline:
        base = super(TrellisImageTo3DPipeline, TrellisImageTo3DPipeline).from_pretrained(path)
        pipeline = TrellisImageTo3DPipeline()
        pipeline.__dict__ = base.__dict__
        args = base._pretrained_args  # type: ignore[attr-defined]
        pipeline.sparse_structure_sampler = samplers.FlowEulerGuidanceIntervalSampler(1e-5, "sparse_structure")
        pipeline.slat_sampler = samplers.FlowEulerGuidanceIntervalSampler(1e-5, "structured_latent")
        script.act("hub")
        pipeline.models["image_cond_model"] = torch.hub.load(
            "facebookresearch/dinov2", args["image_cond_model"], pretrained=True
        )
        return pipeline

    def preprocess_image(self, image: Any) -> Any:
        script.act("preprocess")
        return image

    def get_cond(self, images: list[Any]) -> dict[str, Any]:
        script.offloaded = str(self.models["slat_flow_model"].device) == "cpu" and str(self.device) != "cpu"
        script.act("condition")
        return {"cond": list(images)}

    def _noise(self) -> Any:
        return torch.randn(1 << 20, device=self.device) if REAL else [random.random()]

    def sample_sparse_structure(self, cond: Any, num_samples: int = 1, sampler_params: Any = None) -> Any:
        model = self.models["sparse_structure_flow_model"]
        return self.sparse_structure_sampler.sample(model, self._noise(), **cond, **sampler_params).samples

    def sample_slat(self, cond: Any, coords: Any, sampler_params: Any = None) -> Any:
        model = self.models["slat_flow_model"]
        self.slat_sampler.sample(model, self._noise(), **cond, **sampler_params)
        # The shape of what is decoded, so that it can be told whose it is.
        return SparseTensor(feats=table([[random.random()]]), coords=table([[0, 0, 0, 0]]))

    def decode_slat(self, slat: Any, formats: list[str]) -> dict[str, Any]:
        script.act("decode")
        decoded: dict[str, Any] = {}
        if "mesh" in formats:
            decoded["mesh"] = [_tetrahedron(slat.feats.tolist()[0][0])]
        if "gaussian" in formats:
            decoded["gaussian"] = [Gaussian(torch.initial_seed())]
        return decoded

    def run(
        self,
        image: Any,
        seed: int,
        formats: list[str],
        preprocess_image: bool,
        sparse_structure_sampler_params: dict[str, Any],
        slat_sampler_params: dict[str, Any],
    ) -> dict[str, Any]:
        torch.manual_seed(seed)
        cond = self.get_cond([image])
        coords = self.sample_sparse_structure(cond, 1, sparse_structure_sampler_params)
        slat = self.sample_slat(cond, coords, slat_sampler_params)
        return self.decode_slat(slat, formats)

    @contextmanager
    def inject_sampler_multi_image(self, name: str) -> Iterator[None]:
        """Patches the shared sampler and, as TRELLIS does, restores it only where nothing was raised."""
        sampler = getattr(self, name)
        if hasattr(sampler, "_old_inference_model"):
            raise RuntimeError("an earlier job left the sampler patched")
        sampler._old_inference_model = sampler._inference_model
        sampler._inference_model = lambda model, x, t, cond, **options: sampler._old_inference_model(
            model, x, t, cond[:1], **options
        )
        yield
        sampler._inference_model = sampler._old_inference_model
        del sampler._old_inference_model

    def run_multi_image(
        self,
        images: list[Any],
        seed: int,
        formats: list[str],
        preprocess_image: bool,
        mode: str,
        sparse_structure_sampler_params: dict[str, Any],
        slat_sampler_params: dict[str, Any],
    ) -> dict[str, Any]:
        if mode not in {"stochastic", "multidiffusion"}:
            raise ValueError(f"Unsupported mode: {mode}")
        torch.manual_seed(seed)
        cond = self.get_cond(images)
        with self.inject_sampler_multi_image("sparse_structure_sampler"):
            coords = self.sample_sparse_structure(cond, 1, sparse_structure_sampler_params)
        with self.inject_sampler_multi_image("slat_sampler"):
            slat = self.sample_slat(cond, coords, slat_sampler_params)
        return self.decode_slat(slat, formats)


def _tetrahedron(height: float) -> Any:
    corners = [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0 + height]]
    faces = [[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]]
    colours = [[0.5, 0.25, 1.0, 0.0, 0.0, 1.0] for _ in corners]
    return SimpleNamespace(
        vertices=table(corners), faces=table([] if script.empty else faces), vertex_attrs=table(colours), success=True
    )
