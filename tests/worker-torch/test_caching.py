"""Drafts leave out model calls; the other ways do not, and are what they were."""

from __future__ import annotations

import threading
import unittest
from types import SimpleNamespace
from typing import Any, ClassVar

import torch
from kit import worker_kit
from test_guidance import STEPS as GUIDED_STEPS
from test_guidance import Dense, Rows, Sampler, Sparse, sparse_cat
from trellis_worker.caching import StepCache
from trellis_worker.families.trellis1 import DECODERS, USED_BY, Own, _listening
from trellis_worker.family import Run
from trellis_worker.guidance import OneBatch
from trellis_worker.placement import Placement
from trellis_worker.protocol import Params
from trellis_worker.stages import Stages

STEPS = 12


class Slow(Dense):
    """A flow whose velocity changes little along its way, as a trained one's."""

    def forward(self, x: Any, t: Any, cond: Any) -> Any:
        self.calls.append(len(x))
        return x * 0.5 + 0.01 * torch.sin(t / 300)[:, None, None]


class Caching(unittest.TestCase):
    options: ClassVar[dict[str, Any]] = {"cfg_strength": 0.0, "cfg_interval": (0.0, 1.0)}

    def setUp(self) -> None:
        torch.manual_seed(1)

    def sampled(self, model: Any, noise: Any, draft: bool, **options: Any) -> tuple[Any, list[int]]:
        """What comes out, and in which steps the model was asked."""
        sampler = Sampler()
        inference: Any = OneBatch(sampler._inference_model, sparse_cat)
        if draft:
            inference = StepCache(inference, STEPS)
        cond = torch.randn(1, 5, 8, generator=torch.Generator().manual_seed(2))
        sample, asked = noise, []
        with torch.no_grad():
            for step in range(STEPS):
                before = len(model.calls)
                velocity = inference(
                    model,
                    sample,
                    1 - step / STEPS,
                    cond,
                    neg_cond=torch.zeros_like(cond),
                    **{**self.options, **options},
                )
                if len(model.calls) > before:
                    asked.append(step)
                sample = sample - velocity * (1 / STEPS)
        return sample, asked

    def test_a_draft_asks_less_and_never_leaves_out_the_first_and_the_last_step(self) -> None:
        noise = torch.randn(1, 8, 7)
        reference, always = self.sampled(Slow(), noise, draft=False)
        drafted, asked = self.sampled(Slow(), noise, draft=True)
        self.assertEqual(always, list(range(STEPS)))
        self.assertLessEqual(len(asked), STEPS // 2)
        self.assertEqual((asked[0], asked[-1]), (0, STEPS - 1))
        apart = float((drafted - reference).norm() / reference.norm())
        self.assertGreater(apart, 0, "a draft is not the same")
        self.assertLess(apart, 0.05)

    def test_a_sparse_flow_is_drafted_alike(self) -> None:
        class SlowRows(Sparse):
            def forward(self, x: Any, t: Any, cond: Any) -> Any:
                self.calls.append(x.shape[0])
                return x * 0.5

        coords = torch.cat([torch.zeros(9, 1), torch.randint(0, 8, (9, 3))], 1).int()
        noise = Rows(torch.randn(9, 8), coords)
        drafted, asked = self.sampled(SlowRows(), noise, draft=True)
        self.assertLessEqual(len(asked), STEPS // 2)
        self.assertIs(drafted.coords, coords)

    def test_a_sample_that_moves_far_is_asked_for_each_time(self) -> None:
        class Fast(Slow):
            def forward(self, x: Any, t: Any, cond: Any) -> Any:
                return 4 * super().forward(x, t, cond)

        _, asked = self.sampled(Fast(), torch.randn(1, 8, 7), draft=True)
        self.assertEqual(asked, list(range(STEPS)))

    def test_what_was_guided_does_not_stand_for_what_is_not(self) -> None:
        _, asked = self.sampled(Slow(), torch.randn(1, 8, 7), draft=True, cfg_interval=(0.74, 1.0))
        self.assertIn(4, asked, "the first step without guidance")

    def test_each_of_several_pictures_is_asked_about(self) -> None:
        model, cache = Slow(), StepCache(Sampler()._inference_model, STEPS)
        cond, sample = torch.randn(2, 5, 8), torch.randn(1, 8, 7)
        options = {"neg_cond": torch.zeros(1, 5, 8), **self.options}
        for step in range(3):
            # As TRELLIS takes them in turns.
            cache(model, sample, 0.9, cond=cond[step % 2 : step % 2 + 1], **options)
        self.assertEqual(len(model.calls), 6)


class Ways(unittest.TestCase):
    """One job of the family with each quality, over a pipeline in short."""

    def calls(self, quality: str) -> tuple[int, Any]:
        """How often the flow was asked, and what came out."""
        torch.manual_seed(1)
        model, sampler = Slow(), Sampler()
        cond, noise = torch.randn(1, 5, 8), torch.randn(1, 8, 7)
        models = {name: model for names in USED_BY.values() for name in names}
        models[DECODERS["mesh"]] = SimpleNamespace(mesh_extractor=SimpleNamespace())
        pipeline = SimpleNamespace(
            models=models,
            recorded_flow=None,
            latent_flow=None,
            sparse_structure_sampler=sampler,
            slat_sampler=Sampler(),
            get_cond=lambda: cond,
            sample_sparse_structure=lambda: sampler.sample(model, noise, cond),
            sample_slat=lambda: None,
            decode_slat=lambda *_: {},
            inject_sampler_multi_image=None,
        )
        message = worker_kit.snapshot("to_worker.generate")["params"]
        params = Params.from_json({**message, "quality": quality, "ss_sampling_steps": GUIDED_STEPS})
        stages = Stages(lambda *_: None, threading.Event(), lambda: None)
        placement = Placement({}, torch.device("cpu"), lambda: None)
        placement.low_vram = False
        with torch.no_grad(), _listening(Run(pipeline, placement, stages, params), Own.of(params)):
            made = pipeline.sample_sparse_structure()
        self.assertNotIn("_inference_model", vars(sampler), "the sampler is as it was")
        return len(model.calls), made

    def test_only_a_draft_leaves_out_calls(self) -> None:
        exact, reference = self.calls("exact")
        balanced, same = self.calls("balanced")
        draft, other = self.calls("draft")
        # Two calls in each of the four guided steps, or one for both.
        self.assertEqual((exact, balanced), (10, 6))
        self.assertLess(draft, balanced)
        self.assertLess(float((reference - same).abs().max()), 1e-5)
        self.assertGreater(float((reference - other).abs().max()), 1e-5)


if __name__ == "__main__":
    unittest.main()
