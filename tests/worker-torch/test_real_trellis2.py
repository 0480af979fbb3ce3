"""The worker's hooks against TRELLIS.2's own samplers and model of the sparse structure, tiny, on the CPU.

TRELLIS2_SOURCE names a checkout of microsoft/TRELLIS.2. The parts that need a GPU are not looked at here.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
import threading
import types
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from kit import ROOT, worker_kit  # noqa: F401 puts the worker on the path
from trellis_worker import guidance, views
from trellis_worker.checkpoints import load_strictly
from trellis_worker.failures import WorkerError
from trellis_worker.families import trellis2
from trellis_worker.hooks import counted
from trellis_worker.protocol import Kind, Stage
from trellis_worker.stages import Stages

SOURCE = os.environ.get("TRELLIS2_SOURCE")
TINY = {
    "resolution": 4,
    "in_channels": 2,
    "model_channels": 32,
    "cond_channels": 16,
    "out_channels": 2,
    "num_blocks": 2,
    "num_heads": 2,
    "pe_mode": "rope",
    "qk_rms_norm": True,
}
# A flow of a latent at the places of a sparse grid, which is given another's numbers beside its own.
LATENT = {
    "resolution": 8,
    "in_channels": 4,
    "model_channels": 32,
    "cond_channels": 16,
    "out_channels": 2,
    "num_blocks": 2,
    "num_heads": 2,
    "pe_mode": "rope",
    "share_mod": True,
    "qk_rms_norm": True,
    "qk_rms_norm_cross": True,
}
ASKED = {
    "steps": 6,
    "guidance_strength": 7.5,
    "guidance_rescale": 0.7,
    "guidance_interval": [0.6, 1.0],
    "rescale_t": 5.0,
}


class Missing(types.ModuleType):
    """In the place of a compiled extension, which nothing here calls."""

    __path__: list[str] = []  # noqa: RUF012 a package's

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Missing(name)


# What TRELLIS.2 imports and nothing here calls.
EXTENSIONS = (
    "flex_gemm",
    "flex_gemm.ops",
    "flex_gemm.ops.spconv",
    "flex_gemm.ops.grid_sample",
    "cumesh",
    "o_voxel",
    "o_voxel.convert",
    "nvdiffrast",
    "nvdiffrast.torch",
    "nvdiffrec_render",
    "transformers",
    "torchvision",
    "torchvision.transforms",
    "cv2",
)


@unittest.skipUnless(SOURCE, "TRELLIS2_SOURCE names no checkout of microsoft/TRELLIS.2")
class RealTrellis2(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        """For these tests alone: others need the extensions themselves."""
        stand_ins = {name: Missing(name) for name in EXTENSIONS if name not in sys.modules}
        cls.enterClassContext(mock.patch.dict(sys.modules, stand_ins))
        backends = {
            "ATTN_BACKEND": "sdpa",
            "SPARSE_ATTN_BACKEND": "flash_attn",
            "SPARSE_CONV_BACKEND": "flex_gemm",
        }
        cls.enterClassContext(mock.patch.dict(os.environ, backends))
        attention = ROOT / "tests" / "tiny_trellis2" / "attention"
        cls.enterClassContext(mock.patch.object(sys, "path", [str(SOURCE), str(attention), *sys.path]))

    def setUp(self) -> None:
        self.models = importlib.import_module("trellis2.models")
        self.samplers = importlib.import_module("trellis2.pipelines.samplers")
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "flow"
        torch.manual_seed(3)
        self.model = self.models.SparseStructureFlowModel(**TINY).eval()
        # As training leaves them: upstream begins with zeros at the end.
        for weight in self.model.parameters():
            torch.nn.init.normal_(weight, std=0.1)

    def write(self, tensors: dict[str, Any]) -> None:
        from safetensors.torch import save_file

        config = {"name": "SparseStructureFlowModel", "args": TINY}
        self.path.with_suffix(".json").write_text(json.dumps(config), "utf-8")
        save_file(tensors, self.path.with_suffix(".safetensors"))

    def test_a_checkpoint_is_loaded_with_or_without_what_is_computed(self) -> None:
        tensors = {
            name: tensor.clone()
            for name, tensor in self.model.state_dict().items()
            if not tensor.is_complex()
        }
        self.write(tensors)
        loaded = load_strictly(self.models, self.path, "ckpts/flow")
        for name, weight in self.model.named_parameters():
            self.assertTrue(torch.equal(weight, dict(loaded.named_parameters())[name]), name)

    def test_upstream_s_own_loader_would_have_left_it_random(self) -> None:
        tensors = {name: tensor.clone() for name, tensor in self.model.named_parameters()}
        del tensors["out_layer.weight"]
        self.write(tensors)
        self.models.from_pretrained(str(self.path))
        with self.assertRaisesRegex(WorkerError, "it lacks `out_layer.weight`") as raised:
            load_strictly(self.models, self.path, "ckpts/flow")
        self.assertEqual(raised.exception.kind, Kind.CHECKPOINT_CORRUPT)

    def sample(self, pictures: int, way: str | None) -> tuple[Any, list[int]]:
        """What a hooked sampler gives for so many equal pictures; without a way, an unhooked one."""
        told: list[int] = []
        stages = Stages(lambda _stage, step, _total: told.append(step), threading.Event(), lambda: None)
        sampler = self.samplers.FlowEulerGuidanceIntervalSampler(1e-5)
        if way is not None:
            stages.enter(Stage.SPARSE_STRUCTURE, ASKED["steps"])
            sampler.sample_once = counted(sampler.sample_once, stages)
            sampler._inference_model = views.of_all(sampler._inference_model, way)
        generator = torch.Generator().manual_seed(5)
        noise = torch.randn(1, 2, 4, 4, 4, generator=generator)
        cond = torch.randn(1, 7, 16, generator=generator).expand(pictures, -1, -1)
        neg_cond = torch.zeros_like(cond)
        with torch.no_grad():
            made = sampler.sample(self.model, noise, cond=cond, neg_cond=neg_cond, verbose=False, **ASKED)
        return made.samples, told

    def test_hooks_tell_each_step_and_change_nothing(self) -> None:
        plain, _ = self.sample(1, None)
        hooked, told = self.sample(1, "stochastic")
        self.assertTrue(torch.equal(plain, hooked))
        self.assertEqual(told, list(range(ASKED["steps"] + 1)))

    def test_the_same_picture_twice_is_as_good_as_once(self) -> None:
        plain, _ = self.sample(1, None)
        for way in ("stochastic", "multidiffusion"):
            several, _ = self.sample(3, way)
            self.assertLess(float((plain - several).abs().max()), 1e-4 * float(plain.abs().max()), way)

    def guided(self, model: Any, noise: Any, pairs: bool, **asked: Any) -> tuple[Any, int]:
        """What the sampler gives, and how often the model was asked."""
        sampler = self.samplers.FlowEulerGuidanceIntervalSampler(1e-5)
        sparse = importlib.import_module("trellis2.modules.sparse")
        if pairs:
            sampler._inference_model = guidance.Pairs(sampler._inference_model, sparse.sparse_cat)
        sampler._inference_model = views.of_all(sampler._inference_model, "stochastic")
        generator = torch.Generator().manual_seed(5)
        cond = torch.randn(1, 7, 16, generator=generator)
        calls = []
        with model.register_forward_pre_hook(lambda *_call: calls.append(1)), torch.no_grad():
            result = sampler.sample(
                model, noise, cond=cond, neg_cond=torch.zeros_like(cond), verbose=False, **{**ASKED, **asked}
            )
        return getattr(result.samples, "feats", result.samples), len(calls)

    def same(self, model: Any, noise: Any, **asked: Any) -> list[int]:
        """Both ways give the same; how often each asked."""
        found = [self.guided(model, noise, pairs, **asked) for pairs in (False, True)]
        (theirs, _), (ours, _) = found
        self.assertGreater(float(theirs.abs().max()), 0.1)
        self.assertLess(float((theirs - ours).abs().max()), 1e-4 * float(theirs.abs().max()))
        return [calls for _, calls in found]

    def test_guidance_in_one_batch_is_the_sampler_s_own(self) -> None:
        noise = torch.randn(1, 2, 4, 4, 4, generator=torch.Generator().manual_seed(5))
        # At six steps, so rescaled, five lie within the interval.
        self.assertEqual(self.same(self.model, noise), [11, 6])
        self.assertEqual(self.same(self.model, noise, guidance_rescale=0.0, rescale_t=1.0), [9, 6])
        self.assertEqual(self.same(self.model, noise, guidance_strength=1.0), [6, 6])

    def test_a_job_asks_the_recorded_flow_and_in_low_vram_mode_the_model(self) -> None:
        class Recorded:
            """In the place of a recording: the model, asked."""

            def __init__(self, model: Any) -> None:
                self.model, self.asked, self.forgot = model, 0, 0

            def __call__(self, *asked: Any) -> Any:
                self.asked += 1
                return self.model(*asked)

            def forget(self) -> None:
                self.forgot += 1

        noise = torch.randn(1, 2, 4, 4, 4, generator=torch.Generator().manual_seed(5))
        generator = torch.Generator().manual_seed(6)
        cond = torch.randn(1, 7, 16, generator=generator)
        own, made = Recorded(self.model), []
        for low_vram in (None, False, True):
            sampler = self.samplers.FlowEulerGuidanceIntervalSampler(1e-5)
            pipeline = types.SimpleNamespace(recorded_flow=own, sparse_structure_sampler=sampler)
            if low_vram is not None:
                trellis2._guide_in_pairs(pipeline, "sparse_structure_sampler", low_vram)
            asked = {"cond": cond, "neg_cond": torch.zeros_like(cond), "verbose": False, **ASKED}
            with torch.no_grad():
                made.append(sampler.sample(self.model, noise, **asked).samples)
            self.assertFalse(any("forward" in vars(module) for module in self.model.modules()))
        self.assertEqual((own.asked, own.forgot), (6, 1))
        for ours in made[1:]:
            self.assertLess(float((made[0] - ours).abs().max()), 1e-4 * float(made[0].abs().max()))

    def test_so_it_is_for_a_latent_given_another_s(self) -> None:
        sparse = importlib.import_module("trellis2.modules.sparse")
        model = self.models.SLatFlowModel(**LATENT).eval()
        for weight in model.parameters():
            torch.nn.init.normal_(weight, std=0.1)
        generator = torch.Generator().manual_seed(5)
        places = torch.randperm(8**3, generator=generator)[:40].sort().values
        coords = torch.stack([torch.zeros_like(places), places // 64, places // 8 % 8, places % 8], -1).int()
        feats = torch.randn(2, 40, 2, generator=generator)
        noise = sparse.SparseTensor(feats=feats[0], coords=coords)
        self.assertEqual(self.same(model, noise, concat_cond=noise.replace(feats[1])), [11, 6])


if __name__ == "__main__":
    unittest.main()
