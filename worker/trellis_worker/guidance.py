"""Classifier-free guidance with one call of the model a step, for a batch of two.

TRELLIS calls the flow model twice a step within the guidance interval: with the condition and without. Both
calls read the same weights and start the same small kernels, so one call for both takes little longer than
one for either. The sums are those of the reference; a matrix product over more rows may round differently.
What does not change from step to step is made once: the batch of conditions, the keys and values that
attention makes of it, and the doubled coordinates with the neighbourhoods that convolutions find in them.

Names, and what is called when: Microsoft's TRELLIS, `trellis/pipelines/samplers/`, `trellis/modules/`, and
`inject_sampler_multi_image` of its image pipeline; TRELLIS.2's folders of the same names.
"""

from __future__ import annotations

import importlib
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

torch: Any = importlib.import_module("torch")

# `on`, or `off` for one condition in a call.
VARIABLE = "TRELLIS_WORKER_GUIDANCE"
# Conditions in one call: with several pictures, more would take more memory than the job does otherwise.
AT_ONCE = 4
# Tokens of a sample up to which a batch of two is faster than two calls in TRELLIS.2's large flows. From
# 32,768 on it only takes twice the memory (docs/performance.md).
MOST_TOKENS = 16_384
EVERYWHERE = (-math.inf, math.inf)


def wanted() -> bool:
    """Whether the environment leaves several conditions in one call."""
    return os.environ.get(VARIABLE, "on") == "on"


class OneBatch:
    """Takes the place of a guided sampler's `_inference_model` for one job."""

    def __init__(
        self, inference: Callable[..., Any], joined: Callable[[list[Any]], Any], instead: Any = None
    ) -> None:
        """`inference` is the method itself; `joined` makes one sparse tensor of several samples; `instead`,
        if given, is called in place of the model: a `Graphs` or, for sparse samples, a `LatentFlow`."""
        self._inference = inference
        self._joined = joined
        self.instead = instead
        self._at_once = AT_ONCE if wanted() else 1
        self._cond: Any = None
        self._batches: dict[bool, list[Any]] = {}
        self._coords: Any = None
        self._repeated: dict[int, Any] = {}

    def __call__(self, model: Any, x_t: Any, t: float, cond: Any, neg_cond: Any, **options: Any) -> Any:
        """The velocity at `x_t`, of which there is one sample; `cond` has a row for each picture, over which
        it is averaged."""
        if x_t.shape[0] != 1:
            return self._inference(model, x_t, t, cond=cond, neg_cond=neg_cond, **options)
        strength = options.pop("cfg_strength")
        first, last = options.pop("cfg_interval", EVERYWHERE)
        guided = bool(first <= t <= last)
        batches = self._conditions(model, cond, neg_cond, guided)
        answers = [answer for batch in batches for answer in self._asked(model, x_t, t, batch, options)]
        with_condition = answers[:-1] if guided else answers
        mean = sum(with_condition[1:], with_condition[0])
        if len(with_condition) > 1:
            mean = mean / len(with_condition)
        return (1 + strength) * mean - strength * answers[-1] if guided else mean

    def _conditions(self, model: Any, cond: Any, neg_cond: Any, guided: bool) -> list[Any]:
        """The rows for each call, in the model's own type, so that it has no reason to copy them."""
        if cond is not self._cond:
            self._cond, self._batches = cond, {}
        if guided not in self._batches:
            rows = torch.cat([cond, neg_cond[:1]]) if guided else cond
            self._batches[guided] = [part.contiguous() for part in rows.to(model.dtype).split(self._at_once)]
        return self._batches[guided]

    def _asked(self, model: Any, x_t: Any, t: float, batch: Any, options: dict[str, Any]) -> list[Any]:
        """The model's answer for each row of `batch`."""
        count = batch.shape[0]
        time = torch.full((count,), 1000 * t, device=batch.device, dtype=torch.float32)
        if isinstance(x_t, torch.Tensor):
            repeated = x_t.expand(count, *x_t.shape[1:])
            return list((self.instead or model)(repeated, time, batch, **options).split(1))

        def copies(sparse: Any) -> Any:
            feats = sparse.feats.repeat(count, *[1] * (sparse.feats.dim() - 1))
            return self._sparse(x_t, count).replace(feats)

        def own() -> list[Any]:
            # What is given beside the sample is at the same places.
            more = {name: copies(it) if hasattr(it, "feats") else it for name, it in options.items()}
            return list(model(copies(x_t), time, batch, **more).feats.split(len(x_t.feats)))

        parts = own() if self.instead is None else self.instead(x_t, time[:1], batch, own, **options)
        return [x_t.replace(part) for part in parts]

    def _sparse(self, x_t: Any, count: int) -> Any:
        """`count` copies of a sparse tensor. Each step's has the same coordinates, and what convolutions find
        out about them stays with the copies."""
        if x_t.coords is not self._coords:
            self._coords, self._repeated = x_t.coords, {}
        if count not in self._repeated:
            self._repeated[count] = self._joined([x_t] * count)
        return self._repeated[count]


class Pairs(OneBatch):
    """The same for TRELLIS.2's samplers. They ask the model with the condition and then without, and mix both
    answers in their own way, which stays theirs: the first question gets both answers."""

    def __call__(self, model: Any, x_t: Any, t: float, cond: Any, neg_cond: Any, **options: Any) -> Any:
        """The velocity at `x_t`, of which there is one sample; `cond` and `neg_cond` have one row."""
        if x_t.shape[0] != 1 or cond.shape[0] != 1:
            return self._inference(model, x_t, t, cond=cond, neg_cond=neg_cond, **options)
        if not self._is_worth_it(x_t, t, options):
            [own] = self._conditions(model, cond, neg_cond, False)

            def alone(sample: Any, _time: Any, condition: Any, **more: Any) -> Any:
                return self._asked(model, sample, t, condition, more)[0]

            return self._inference(alone, x_t, t, cond=own, neg_cond=neg_cond, **options)
        [batch] = self._conditions(model, cond, neg_cond, True)
        answers: list[Any] = []

        def asked(sample: Any, _time: Any, condition: Any, **more: Any) -> Any:
            if not answers:
                answers.extend(self._asked(model, sample, t, batch, more))
            return answers[0 if condition is cond else 1]

        return self._inference(asked, x_t, t, cond=cond, neg_cond=neg_cond, **options)

    def _sparse(self, x_t: Any, count: int) -> Any:
        return x_t if count == 1 else super()._sparse(x_t, count)

    def _is_worth_it(self, x_t: Any, t: float, options: dict[str, Any]) -> bool:
        """Whether the sampler will ask twice, of a sample that is small enough."""
        first, last = options.get("guidance_interval", EVERYWHERE)
        tokens = x_t[0, 0].numel() if isinstance(x_t, torch.Tensor) else len(x_t.feats)
        # With either of these strengths one of the answers counts for nothing.
        twice = first <= t <= last and options["guidance_strength"] not in (0, 1)
        return bool(twice and self._at_once > 1 and tokens <= MOST_TOKENS)


def averaging(inject: Callable[..., Any], samplers: dict[str, OneBatch]) -> Callable[..., Any]:
    """In place of `inject_sampler_multi_image`: `multidiffusion` averages over the pictures, which
    `OneBatch` does by itself; the other way picks one for each step and goes on as it was."""

    @contextmanager
    def injected(name: str, *args: Any, mode: str, **options: Any) -> Iterator[None]:
        if mode == "multidiffusion" and name in samplers:
            yield
        else:
            with inject(name, *args, mode=mode, **options):
                yield

    return injected


@contextmanager
def remembering(model: Any) -> Iterator[None]:
    """Has each cross-attention keep the keys and values of the condition that it saw last. The condition
    itself is kept with them, so that no other can take its place in memory."""
    layers = [module.to_kv for module in model.modules() if hasattr(module, "to_kv")]
    for layer in layers:
        layer.forward = _remembered(layer.forward)
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


def _remembered(forward: Callable[[Any], Any]) -> Callable[[Any], Any]:
    seen: list[Any] = [None, None]

    def call(condition: Any) -> Any:
        if seen[0] is not condition:
            seen[:] = condition, forward(condition)
        return seen[1]

    return call
