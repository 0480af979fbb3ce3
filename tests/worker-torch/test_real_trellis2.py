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
from trellis_worker import graphs, guidance, token_flow, views
from trellis_worker.checkpoints import load_strictly
from trellis_worker.failures import WorkerError
from trellis_worker.families import trellis2_flows
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
                self.model, self.asked = model, 0

            def __call__(self, *asked: Any) -> Any:
                self.asked += 1
                return self.model(*asked)

        noise = torch.randn(1, 2, 4, 4, 4, generator=torch.Generator().manual_seed(5))
        generator = torch.Generator().manual_seed(6)
        cond = torch.randn(1, 7, 16, generator=generator)
        own, made = Recorded(self.model), []
        for low_vram in (None, False, True):
            sampler = self.samplers.FlowEulerGuidanceIntervalSampler(1e-5)
            pipeline = types.SimpleNamespace(
                recorded_flow=own, token_flows={}, sparse_structure_sampler=sampler
            )
            if low_vram is not None:
                trellis2_flows.guide_in_pairs(pipeline, "sparse_structure_sampler", low_vram)
            asked = {"cond": cond, "neg_cond": torch.zeros_like(cond), "verbose": False, **ASKED}
            with torch.no_grad():
                made.append(sampler.sample(self.model, noise, **asked).samples)
            self.assertFalse(any("forward" in vars(module) for module in self.model.modules()))
        self.assertEqual(own.asked, 6)
        for ours in made[1:]:
            self.assertLess(float((made[0] - ours).abs().max()), 1e-4 * float(made[0].abs().max()))

    def latent(self, seed: int = 5, **changes: Any) -> tuple[Any, Any, Any]:
        """A flow, a sample of its noise, and another's numbers at the same places."""
        sparse = importlib.import_module("trellis2.modules.sparse")
        torch.manual_seed(3)
        model = self.models.SLatFlowModel(**{**LATENT, **changes}).eval()
        for weight in model.parameters():
            torch.nn.init.normal_(weight, std=0.1)
        generator = torch.Generator().manual_seed(seed)
        places = torch.randperm(8**3, generator=generator)[:40].sort().values
        coords = torch.stack([torch.zeros_like(places), places // 64, places // 8 % 8, places % 8], -1).int()
        feats = torch.randn(2, 40, 2, generator=generator)
        noise = sparse.SparseTensor(feats=feats[0], coords=coords)
        return model, noise, noise.replace(feats[1])

    def test_so_it_is_for_a_latent_given_another_s(self) -> None:
        model, noise, beside = self.latent()
        self.assertEqual(self.same(model, noise, concat_cond=beside), [11, 6])

    def in_our_way(
        self, flow: Any, noise: Any, model: Any, low_vram: bool = False, **asked: Any
    ) -> tuple[Any, int]:
        """What a job of ours samples, and how often TRELLIS.2's own code was asked."""
        sampler = self.samplers.FlowEulerGuidanceIntervalSampler(1e-5)
        pipeline = types.SimpleNamespace(
            recorded_flow=None, token_flows={model: flow} if flow else {}, shape_slat_sampler=sampler
        )
        if flow is not None:
            trellis2_flows.guide_in_pairs(pipeline, "shape_slat_sampler", low_vram)
        cond = torch.randn(1, 7, 16, generator=torch.Generator().manual_seed(6))
        given = {"cond": cond, "neg_cond": torch.zeros_like(cond), "verbose": False, **ASKED, **asked}
        calls = []
        with model.register_forward_pre_hook(lambda *_call: calls.append(1)), torch.no_grad():
            return sampler.sample(model, noise, **given).samples.feats, len(calls)

    def test_a_latent_s_flow_with_dense_tensors_is_the_same(self) -> None:
        attend = trellis2_flows.attention
        for changes in ({}, {"share_mod": False}, {"qk_rms_norm": False, "qk_rms_norm_cross": False}):
            model, noise, beside = self.latent(**changes)
            self.assertTrue(token_flow.fits(model))
            flow = token_flow.TokenFlow(model, attend)
            for seed, low_vram, strength in ((5, False, 7.5), (6, True, 7.5), (7, False, 1.0)):
                _, noise, beside = self.latent(seed)
                asked = {"concat_cond": beside, "guidance_strength": strength}
                theirs, _ = self.in_our_way(None, noise, model, **asked)
                ours, calls = self.in_our_way(flow, noise, model, low_vram, **asked)
                self.assertLess(float((theirs - ours).abs().max()), 1e-4 * float(theirs.abs().max()))
                # Once, to compare the first answer with.
                self.assertEqual(calls, 1 if seed == 5 else 0)
                self.assertIsNone(flow._phases)

    def test_its_steps_are_recorded_anew_for_each_job(self) -> None:
        model, noise, beside = self.latent()
        made: list[int] = []

        def record(work: Any) -> Any:
            """Runs the work again, with the embedding of the time as it was meanwhile."""
            embed = vars(model.t_embedder)["forward"]
            result = work().clone()
            made.append(len(result))

            def play() -> None:
                model.t_embedder.forward = embed
                result.copy_(work())
                del model.t_embedder.forward

            return result, play

        flow = token_flow.TokenFlow(
            model, trellis2_flows.attention, lambda steps: graphs.Graphs(steps, record)
        )
        for seed, low_vram, recorded in ((5, False, [2]), (6, False, [2, 2]), (7, True, [2, 2])):
            _, noise, beside = self.latent(seed)
            theirs, _ = self.in_our_way(None, noise, model, concat_cond=beside)
            ours, _ = self.in_our_way(flow, noise, model, low_vram, concat_cond=beside)
            self.assertLess(float((theirs - ours).abs().max()), 1e-4 * float(theirs.abs().max()))
            self.assertEqual(made, recorded)
        with mock.patch.object(token_flow, "RECORDED", 39):
            self.in_our_way(flow, noise, model, concat_cond=beside)
        self.assertEqual(made, [2, 2])

    def test_what_cannot_be_recorded_is_tried_once(self) -> None:
        model, noise, beside = self.latent()
        tried = []

        def fails(_work: Any) -> Any:
            tried.append(1)
            raise torch.OutOfMemoryError("too little")

        flow = token_flow.TokenFlow(
            model, trellis2_flows.attention, lambda steps: graphs.Graphs(steps, fails)
        )
        with self.assertLogs("trellis_worker.graphs", "WARNING"):
            for _ in range(2):
                ours, _ = self.in_our_way(flow, noise, model, concat_cond=beside)
        theirs, _ = self.in_our_way(None, noise, model, concat_cond=beside)
        self.assertLess(float((theirs - ours).abs().max()), 1e-4 * float(theirs.abs().max()))
        self.assertEqual(len(tried), 1)

    def test_a_flow_of_another_form_is_left_to_trellis2(self) -> None:
        model, noise, beside = self.latent()
        self.assertFalse(token_flow.fits(self.latent(pe_mode="ape")[0]))
        with mock.patch.dict(os.environ, {"TRELLIS_WORKER_LATENT_FLOW": "off"}):
            self.assertFalse(token_flow.fits(model))
        flow = token_flow.TokenFlow(model, trellis2_flows.attention)
        flow._transformed = lambda _block, h, _embedded, cond: h.expand(len(cond), -1, -1)  # type: ignore[method-assign]
        theirs, _ = self.in_our_way(None, noise, model, concat_cond=beside)
        with self.assertLogs("trellis_worker.latent_flow", "WARNING"):
            ours, calls = self.in_our_way(flow, noise, model, concat_cond=beside)
        self.assertEqual(calls, 6)
        self.assertLess(float((theirs - ours).abs().max()), 1e-4 * float(theirs.abs().max()))


if __name__ == "__main__":
    unittest.main()
