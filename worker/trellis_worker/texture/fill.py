"""Fills what is not known of a picture from what is near, by halving and doubling."""

from __future__ import annotations

import importlib
from typing import Any

torch: Any = importlib.import_module("torch")


def filled(weighted: Any, weight: Any) -> Any:
    """`weighted` (C, S, S) divided by `weight` (S, S), and where that is 0, the average of what is near."""
    size = weighted.shape[-1]
    if size % 2 or size <= 2:  # noqa: PLR2004 the coarsest picture
        known = weight > 0
        everywhere = weighted.sum((1, 2)) / weight.sum().clamp(min=1e-20)
        divided = weighted / torch.where(known, weight, 1)
        return torch.where(known, divided, everywhere[:, None, None])
    known = weight > 0
    divided = torch.where(known, weighted / torch.where(known, weight, 1), 0)
    pool = torch.nn.functional.avg_pool2d
    share = known.to(weighted.dtype)
    coarse = filled(pool(divided[None], 2)[0], pool(share[None, None], 2)[0, 0])
    finer = torch.nn.functional.interpolate(coarse[None], scale_factor=2.0, mode="bilinear")[0]
    return torch.where(known, divided, finer)
