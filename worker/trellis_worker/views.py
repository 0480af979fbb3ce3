"""Several pictures of one object for samplers that know of one, in TRELLIS's own two ways."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def of_all(inference: Callable[..., Any], way: str) -> Callable[..., Any]:
    """A sampler's `_inference_model` for one job; `cond` has a row for each picture.

    `stochastic` takes the pictures in turn, one at each step. `multidiffusion` takes the mean of what each
    of them alone would have given.
    """
    turn = 0
    # The same tensors at each step, so that what is made of them can be kept.
    seen: list[Any] = [None, (), ()]

    def call(model: Any, x_t: Any, t: float, cond: Any, neg_cond: Any, **options: Any) -> Any:
        nonlocal turn
        count = len(cond)
        if seen[0] is not cond:
            rows = [slice(row, row + 1) for row in range(count)]
            seen[:] = cond, [cond[row] for row in rows], [neg_cond[row] for row in rows]

        def of_one(row: int) -> Any:
            return inference(model, x_t, t, cond=seen[1][row], neg_cond=seen[2][row], **options)

        if count == 1 or way == "stochastic":
            turn += 1
            return of_one((turn - 1) % count)
        answers = [of_one(row) for row in range(count)]
        total = answers[0]
        for answer in answers[1:]:
            total = total + answer
        return total * (1 / count)

    return call
