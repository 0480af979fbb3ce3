"""One call for both halves of guidance against two, with models that mix all of their inputs."""

from __future__ import annotations

import unittest
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch
from kit import worker_kit  # noqa: F401 puts the worker on the path
from trellis_worker import guidance, views
from trellis_worker.families import trellis2_flows
from trellis_worker.guidance import OneBatch, Pairs, averaging, remembering

STEPS = 6


class Attention(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.to_q, self.to_kv = torch.nn.Linear(8, 8), torch.nn.Linear(8, 16)

    def forward(self, x: Any, context: Any) -> Any:
        keys, values = self.to_kv(context).chunk(2, -1)
        return torch.nn.functional.scaled_dot_product_attention(self.to_q(x), keys, values)


class Dense(torch.nn.Module):
    """A flow over (N, 8, L); counts its calls."""

    dtype = torch.float32

    def __init__(self) -> None:
        super().__init__()
        self.attention = Attention()
        self.calls: list[int] = []

    def forward(self, x: Any, t: Any, cond: Any) -> Any:
        self.calls.append(len(x))
        x = x.transpose(1, 2)
        return (self.attention(x, cond) * torch.sin(t / 300)[:, None, None] + x).transpose(1, 2)


class Rows:
    """As much of TRELLIS's sparse tensor as guidance needs: rows with the sample's number first."""

    def __init__(self, feats: Any, coords: Any) -> None:
        self.feats, self.coords = feats, coords
        self.shape = torch.Size([int(coords[:, 0].max()) + 1, *feats.shape[1:]])

    def replace(self, feats: Any) -> Rows:
        return Rows(feats, self.coords)

    def __add__(self, other: Rows) -> Rows:
        return self.replace(self.feats + other.feats)

    def __sub__(self, other: Rows) -> Rows:
        return self.replace(self.feats - other.feats)

    def __mul__(self, factor: float) -> Rows:
        return self.replace(self.feats * factor)

    __rmul__ = __mul__

    def __truediv__(self, factor: float) -> Rows:
        return self.replace(self.feats / factor)


class Sparse(Dense):
    def forward(self, x: Any, t: Any, cond: Any) -> Any:
        self.calls.append(x.shape[0])
        parts = [
            super(Sparse, self)
            .forward(x.feats[x.coords[:, 0] == k].T[None], t[k : k + 1], cond[k : k + 1])[0]
            .T
            for k in range(x.shape[0])
        ]
        del self.calls[-x.shape[0] :]
        return x.replace(torch.cat(parts))


def sparse_cat(parts: list[Rows]) -> Rows:
    coords = [part.coords.clone() for part in parts]
    for sample, own in enumerate(coords):
        own[:, 0] = sample
    return Rows(torch.cat([part.feats for part in parts]), torch.cat(coords))


class Sampler:
    """TRELLIS's sampler with a guidance interval, in short."""

    def model_once(self, model: Any, x_t: Any, t: float, cond: Any) -> Any:
        return model(x_t, torch.tensor([1000 * t]), cond)

    def _inference_model(
        self, model: Any, x_t: Any, t: float, cond: Any, neg_cond: Any, cfg_strength: float, cfg_interval: Any
    ) -> Any:
        answers = [self.model_once(model, x_t, t, row) for row in cond.split(1)]
        mean = sum(answers[1:], answers[0]) / len(answers)
        if not cfg_interval[0] <= t <= cfg_interval[1]:
            return mean
        return (1 + cfg_strength) * mean - cfg_strength * self.model_once(model, x_t, t, neg_cond)

    def sample(self, model: Any, noise: Any, cond: Any) -> Any:
        options = {"neg_cond": torch.zeros_like(cond[:1]), "cfg_strength": 3.0, "cfg_interval": (0.5, 1.0)}
        sample = noise
        for step in range(STEPS):
            sample = self.sample_once(model, sample, 1 - step / STEPS, cond, **options)
        return sample

    def sample_once(self, model: Any, x_t: Any, t: float, cond: Any, **options: Any) -> Any:
        return x_t - self._inference_model(model, x_t, t, cond, **options) * (1 / STEPS)


class Guidance(unittest.TestCase):
    def setUp(self) -> None:
        torch.manual_seed(1)
        self.coords = torch.cat([torch.zeros(9, 1), torch.randint(0, 8, (9, 3))], 1).int()

    def both(self, model: Any, noise: Any, pictures: int = 1) -> tuple[Any, Any, list[int]]:
        cond = torch.randn(pictures, 5, 8)
        with torch.no_grad():
            reference = Sampler().sample(model, noise, cond)
            model.calls.clear()
            sampler = Sampler()
            sampler._inference_model = OneBatch(sampler._inference_model, sparse_cat)  # type: ignore[method-assign]
            with remembering(model):
                ours = sampler.sample(model, noise, cond)
        return reference, ours, model.calls

    def test_a_dense_flow_is_asked_once_a_step(self) -> None:
        reference, ours, calls = self.both(Dense(), torch.randn(1, 8, 7))
        self.assertLess(float((reference - ours).abs().max()), 1e-5)
        self.assertEqual(calls, [2, 2, 2, 2, 1, 1])

    def test_a_sparse_flow_is_asked_once_a_step(self) -> None:
        reference, ours, calls = self.both(Sparse(), Rows(torch.randn(9, 8), self.coords))
        self.assertLess(float((reference.feats - ours.feats).abs().max()), 1e-5)
        self.assertEqual(calls, [2, 2, 2, 2, 1, 1])
        self.assertIs(ours.coords, self.coords)

    def test_several_pictures_are_averaged_in_few_calls(self) -> None:
        for model, noise in (
            (Dense(), torch.randn(1, 8, 7)),
            (Sparse(), Rows(torch.randn(9, 8), self.coords)),
        ):
            reference, ours, calls = self.both(model, noise, pictures=5)
            apart = reference - ours
            self.assertLess(float(getattr(apart, "feats", apart).abs().max()), 1e-5)
            self.assertEqual(calls, [4, 2] * 4 + [4, 1] * 2)

    def test_switched_off_it_asks_for_one_condition_at_a_time(self) -> None:
        with mock.patch.dict("os.environ", {guidance.VARIABLE: "off"}):
            reference, ours, calls = self.both(Dense(), torch.randn(1, 8, 7))
        self.assertLess(float((reference - ours).abs().max()), 1e-5)
        self.assertEqual(calls, [1] * (4 * 2 + 2))

    def test_several_samples_are_left_to_the_sampler(self) -> None:
        noise = torch.randn(2, 8, 7)
        reference, ours, _ = self.both(Dense(), noise)
        self.assertTrue(torch.equal(reference, ours))

    def test_another_condition_in_the_same_memory_is_another(self) -> None:
        model = Dense()
        layer = model.attention.to_kv
        cond = torch.randn(1, 5, 8)
        with torch.no_grad(), remembering(model):
            first = layer(cond)
            self.assertIs(layer(cond), first)
            self.assertFalse(torch.equal(layer(cond * 2), first))
        with torch.no_grad():
            self.assertIsNot(layer(cond), layer(cond))
        self.assertNotIn("forward", vars(layer))

    def test_only_averaging_is_taken_over(self) -> None:
        entered = []

        @contextmanager
        def inject(name: str, *_args: Any, mode: str) -> Any:
            entered.append((name, mode))
            yield

        injected = averaging(inject, {"slat_sampler": SimpleNamespace()})
        for mode in ("stochastic", "multidiffusion"):
            with injected("slat_sampler", 3, 12, mode=mode):
                pass
        self.assertEqual(entered, [("slat_sampler", "stochastic")])


class Beside(Sparse):
    """A sparse flow that is given numbers beside the sample's, as TRELLIS.2's flow of the texture is."""

    def forward(self, x: Any, t: Any, cond: Any, concat_cond: Any = None) -> Any:
        if concat_cond is None:
            return super().forward(x, t, cond)
        return super().forward(x.replace(x.feats + 0.5 * concat_cond.feats), t, cond)


class Sampler2:
    """TRELLIS.2's sampler in short: which answers are asked for, and that they are mixed."""

    def _inference_model(
        self, model: Any, x_t: Any, t: float, cond: Any, neg_cond: Any, guidance_strength: float,
        guidance_interval: Any, guidance_rescale: float = 0.0, **more: Any,
    ) -> Any:  # fmt: skip
        strength = guidance_strength if guidance_interval[0] <= t <= guidance_interval[1] else 1
        time = torch.tensor([1000 * t] * x_t.shape[0])
        if strength in (0, 1):
            return model(x_t, time, cond if strength else neg_cond, **more)
        with_it, without = (model(x_t, time, one, **more) for one in (cond, neg_cond))
        mixed = strength * with_it + (1 - strength) * without
        # Not TRELLIS.2's own rescaling, which goes on with both of these too.
        return mixed + guidance_rescale * (with_it - mixed)

    def sample(self, model: Any, noise: Any, cond: Any, **asked: Any) -> Any:
        options = {"neg_cond": torch.zeros_like(cond), "guidance_strength": 3.0, "guidance_rescale": 0.5}
        options = {**options, "guidance_interval": (0.5, 1.0), **asked}
        sample = noise
        for step in range(STEPS):
            velocity = self._inference_model(model, sample, 1 - step / STEPS, cond, **options)
            sample = sample - velocity * (1 / STEPS)
        return sample


class InPairs(unittest.TestCase):
    """The same for the samplers of TRELLIS.2."""

    def setUp(self) -> None:
        torch.manual_seed(1)
        coords = torch.cat([torch.zeros(9, 1), torch.randint(0, 8, (9, 3))], 1).int()
        self.noise = Rows(torch.randn(9, 8), coords)
        self.joined = 0

    def both(
        self, model: Any, noise: Any, pictures: int = 1, way: str = "stochastic", **asked: Any
    ) -> list[int]:
        """How many samples there were in each call, where the results are the same."""

        def joined(parts: list[Rows]) -> Rows:
            self.joined += 1
            return sparse_cat(parts)

        cond = torch.randn(pictures, 5, 8)
        made = []
        for ours in (False, True):
            model.calls.clear()
            sampler = Sampler2()
            if ours:
                sampler._inference_model = Pairs(sampler._inference_model, joined)  # type: ignore[method-assign]
            sampler._inference_model = views.of_all(sampler._inference_model, way)  # type: ignore[method-assign]
            with torch.no_grad(), remembering(model) if ours else torch.no_grad():
                made.append(sampler.sample(model, noise, cond, **asked))
        apart = made[0] - made[1]
        self.assertLess(float(getattr(apart, "feats", apart).abs().max()), 1e-5)
        return list(model.calls)

    def test_a_flow_is_asked_once_a_step(self) -> None:
        for model, noise in ((Dense(), torch.randn(1, 8, 7)), (Sparse(), self.noise)):
            self.assertEqual(self.both(model, noise), [2, 2, 2, 2, 1, 1])
        self.assertEqual(self.joined, 1)

    def test_what_is_given_beside_the_sample_goes_to_both(self) -> None:
        beside = self.noise.replace(torch.randn(9, 8))
        self.assertEqual(self.both(Beside(), self.noise, concat_cond=beside), [2, 2, 2, 2, 1, 1])

    def test_an_answer_that_counts_for_nothing_is_not_asked_for(self) -> None:
        for strength in (0, 1):
            self.assertEqual(self.both(Sparse(), self.noise, guidance_strength=strength), [1] * STEPS)

    def test_pictures_take_turns_or_are_averaged(self) -> None:
        self.assertEqual(self.both(Sparse(), self.noise, pictures=3), [2, 2, 2, 2, 1, 1])
        calls = self.both(Sparse(), self.noise, pictures=3, way="multidiffusion")
        self.assertEqual(calls, [2] * 12 + [1] * 6)

    def test_a_large_sample_is_asked_for_twice(self) -> None:
        for most, calls in ((8, [1] * 10), (9, [2, 2, 2, 2, 1, 1])):
            with mock.patch.object(guidance, "MOST_TOKENS", most):
                self.assertEqual(self.both(Sparse(), self.noise), calls)

    def test_so_it_is_where_it_is_switched_off(self) -> None:
        with mock.patch.dict("os.environ", {guidance.VARIABLE: "off"}):
            self.assertEqual(self.both(Dense(), torch.randn(1, 8, 7)), [1] * 10)

    def test_several_samples_are_left_to_the_sampler(self) -> None:
        self.assertEqual(self.both(Dense(), torch.randn(2, 8, 7)), [2] * 10)

    def test_a_flow_of_ours_answers_for_its_own_model_only(self) -> None:
        class Ours:
            asked = 0

            def __call__(self, x: Any, *_asked: Any) -> list[Any]:
                self.asked += 1
                return [x.feats]

            def forget(self) -> None:
                """There is nothing to give back."""

        first, second, ours, sampler = Sparse(), Sparse(), Ours(), Sampler2()
        pipeline = SimpleNamespace(recorded_flow=None, token_flows={first: ours}, shape_slat_sampler=sampler)
        trellis2_flows.guide_in_pairs(pipeline, "shape_slat_sampler", False)
        with torch.no_grad():
            # As in a cascade.
            for model in (first, second):
                sampler.sample(model, self.noise, torch.randn(1, 5, 8), guidance_strength=1)
        self.assertEqual((ours.asked, first.calls, second.calls), (STEPS, [], [1] * STEPS))

    def test_the_condition_s_keys_are_made_once(self) -> None:
        model = Dense()
        made: list[int] = []

        class Counting(torch.nn.Linear):
            def forward(self, condition: Any) -> Any:
                made.append(len(condition))
                return super().forward(condition)

        model.attention.to_kv = Counting(8, 16)
        self.both(model, torch.randn(1, 8, 7))
        self.assertEqual(made, [1] * (4 * 2 + 2) + [2, 1])


if __name__ == "__main__":
    unittest.main()
