"""A sampler with the methods that TRELLIS's have."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from .. import script


class FlowEulerGuidanceIntervalSampler:
    """Steps; `place` is the stage by which rules name it."""

    def __init__(self, sigma_min: float, place: str) -> None:
        self.sigma_min = sigma_min
        self.place = place

    def _inference_model(self, model: Any, x_t: Any, t: float, cond: Any, **_options: Any) -> Any:
        return model(x_t)

    def sample_once(self, model: Any, x_t: Any, t: float, cond: Any, **options: Any) -> Any:
        return SimpleNamespace(pred_x_prev=self._inference_model(model, x_t, t, cond, **options))

    def sample(self, model: Any, noise: Any, cond: Any, steps: int, **options: Any) -> Any:
        sample = noise
        for step in range(steps):
            script.act(self.place, step + 1)
            sample = self.sample_once(model, sample, 1 - step / steps, cond, **options).pred_x_prev
        return SimpleNamespace(samples=sample)
