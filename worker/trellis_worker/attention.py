"""Which library attends in the flows: the named one is tried at their shapes before TRELLIS is imported.

TRELLIS takes the library that the environment names, whether it works on this GPU or not, and the first job
finds out. Here it takes a few milliseconds: the named one stays if its answer is that of torch's own
attention. Where it fails, or none is named, the fastest takes its place of those whose answer is.
"""

from __future__ import annotations

import importlib
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

log = logging.getLogger(__name__)

# What TRELLIS and TRELLIS.2 read; for sparse tensors the second one, where it is set.
VARIABLE, SPARSE_VARIABLE = "ATTN_BACKEND", "SPARSE_ATTN_BACKEND"
# Two samples of so many tokens, as guidance asks for them.
LENGTHS = (4096, 4096)
# The type, and how many heads of how many numbers, of each model.
SHAPES = {"trellis-image-large": ("float16", 16, 64), "trellis2-4b": ("bfloat16", 12, 128)}
ROUNDS = 3
# How far an answer may be from the right one; numbers of either type are rounded to less.
FURTHEST = 0.02


@dataclass(frozen=True)
class Answer:
    """What a library did."""

    ms: float
    # The largest distance from torch's own attention in float32.
    off: float


def settle(torch: Any, device: Any, model: str, lengths: tuple[int, ...] = LENGTHS) -> list[str]:
    """Has the environment name a library that works, and says which, with its time."""
    named = os.environ.get(SPARSE_VARIABLE) or os.environ.get(VARIABLE)
    if device.type != "cuda" or (named and named not in LIBRARIES):
        # One that somebody chose and that is unknown here: theirs.
        return []
    try:
        answers = _answers(torch, named, _asked(torch, device, SHAPES[model], lengths), lengths)
    except Exception as error:  # noqa: BLE001 a trial never keeps models from being loaded
        log.warning("libraries for attention were not tried: %s", error)
        return []
    if not answers:
        log.warning("no library for attention works on this GPU")
        return []
    chosen = min(answers, key=lambda name: (answers[name].ms, name))
    for variable in (VARIABLE, SPARSE_VARIABLE):
        if os.environ.get(variable) in (named, None, ""):
            os.environ[variable] = chosen
    best = answers[chosen]
    return [f"attention: {chosen}, {best.ms:.2f} ms, {best.off:.1e} from torch's own"]


def _answers(
    torch: Any, named: str | None, asked: tuple[Any, Any, Any], lengths: tuple[int, ...]
) -> dict[str, Answer]:
    """What the named library did, or where it is not right, what the others did that are."""
    answers: dict[str, Answer] = {}
    others = [name for name in LIBRARIES if name != named]
    for names in ([named], others) if named else (others,):
        for name in names:
            _try(torch, name, asked, lengths, answers)
        if answers:
            break
    return answers


def _try(
    torch: Any, name: str, asked: tuple[Any, Any, Any], lengths: tuple[int, ...], answers: dict[str, Answer]
) -> None:
    """Adds what the library did, if its answer is right."""
    try:
        answer = _measured(torch, LIBRARIES[name], asked, lengths)
    except Exception as error:  # noqa: BLE001 a library that is not there, or has no kernel for this GPU
        log.warning("`%s` does not attend here: %s", name, error)
        return
    if answer.off <= FURTHEST:
        answers[name] = answer
    else:
        log.warning("`%s` attends wrongly here: its answer is off by %.3g", name, answer.off)


def _measured(
    torch: Any, attend: Callable[..., Any], asked: tuple[Any, Any, Any], lengths: tuple[int, ...]
) -> Answer:
    answer = attend(*asked, lengths)
    parts = zip(*(part.float().split(list(lengths)) for part in (answer, *asked)), strict=True)
    off = max(float((part - _own(torch, *rest)).abs().max()) for part, *rest in parts)
    best = float("inf")
    for _ in range(ROUNDS):
        _wait(torch, answer)
        started = time.monotonic()
        attend(*asked, lengths)
        _wait(torch, answer)
        best = min(best, (time.monotonic() - started) * 1000)
    # Of numbers that are none nothing is less.
    return Answer(best, off if off == off else float("inf"))  # noqa: PLR0124


def _own(torch: Any, q: Any, k: Any, v: Any) -> Any:
    """One sample by torch's own attention."""
    heads_first = [part.transpose(0, 1)[None] for part in (q, k, v)]
    return torch.nn.functional.scaled_dot_product_attention(*heads_first)[0].transpose(0, 1)


def _asked(
    torch: Any, device: Any, shape: tuple[str, int, int], lengths: tuple[int, ...]
) -> tuple[Any, Any, Any]:
    kind, heads, channels = shape
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(3, sum(lengths), heads, channels, generator=generator)
    q, k, v = rows.to(device, getattr(torch, kind)).unbind(0)
    return q, k, v


def _wait(torch: Any, tensor: Any) -> None:
    if tensor.is_cuda:
        torch.cuda.synchronize()


def _xformers(q: Any, k: Any, v: Any, lengths: tuple[int, ...]) -> Any:
    ops = importlib.import_module("xformers.ops")
    mask = ops.fmha.BlockDiagonalMask.from_seqlens(list(lengths))
    return ops.memory_efficient_attention(q[None], k[None], v[None], mask)[0]


def _flash(q: Any, k: Any, v: Any, lengths: tuple[int, ...]) -> Any:
    flash = importlib.import_module("flash_attn")
    torch = importlib.import_module("torch")
    ends = torch.tensor([0, *accumulate(lengths)], dtype=torch.int32, device=q.device)
    return flash.flash_attn_varlen_func(q, k, v, ends, ends, max(lengths), max(lengths))


# Those that TRELLIS attends with in sparse tensors.
LIBRARIES: dict[str, Callable[..., Any]] = {"xformers": _xformers, "flash_attn": _flash}
