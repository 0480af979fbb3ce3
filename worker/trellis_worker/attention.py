"""Which library attends in the flows: the named one is tried at their shapes before TRELLIS is imported.

TRELLIS takes the library that the environment names, whether it works on this GPU or not, and the first job
finds out. Here it takes a few milliseconds: the named one stays if its answer is right. Where it fails, or
none is named, the fastest takes its place of those whose answer is; torch itself is one of them
(`varlen.py`). Where the server's environment asks for the fastest, all are timed, and another takes the place
of the named one if it is clearly faster: it rounds differently, so that is another variant of results.
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

from . import varlen

log = logging.getLogger(__name__)

# What TRELLIS and TRELLIS.2 read; for sparse tensors the second one, where it is set.
VARIABLE, SPARSE_VARIABLE = "ATTN_BACKEND", "SPARSE_ATTN_BACKEND"
# `named`, or `fastest`.
CHOICE_VARIABLE = "TRELLIS_WORKER_ATTENTION"
FASTEST = "fastest"
# What part of the named one's time another has to stay below: measured again, it would be taken again.
CLEARLY = 0.95
# Two samples of so many tokens, as guidance asks for them.
LENGTHS = (4096, 4096)
# The type, and how many heads of how many numbers, of each model.
SHAPES = {"trellis-image-large": ("float16", 16, 64), "trellis2-4b": ("bfloat16", 12, 128)}
ROUNDS = 5
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
    everything = os.environ.get(CHOICE_VARIABLE) == FASTEST
    try:
        answers = _answers(torch, named, _asked(torch, device, SHAPES[model], lengths), lengths, everything)
    except Exception as error:  # noqa: BLE001 a trial never keeps models from being loaded
        log.warning("libraries for attention were not tried: %s", error)
        return []
    if not answers:
        log.warning("no library for attention works on this GPU")
        return []
    chosen = choice(answers, named)
    # TRELLIS does not know torch by that name.
    if chosen != named or chosen == TORCH:
        _take(chosen, named)
    best = answers[chosen]
    said = [f"attention: {chosen}, {best.ms:.2f} ms, {best.off:.1e} from torch's own"]
    others = [f"{name} {answer.ms:.2f} ms" for name, answer in answers.items() if name != chosen]
    return [*said, f"attention by others: {', '.join(others)}"] if others else said


def choice(answers: dict[str, Answer], named: str | None) -> str:
    """The named library if it is among them and none is clearly faster, or else the fastest."""
    fastest = min(answers, key=lambda name: (answers[name].ms, name))
    if named in answers and answers[fastest].ms >= CLEARLY * answers[named].ms:
        return str(named)
    return fastest


def _take(chosen: str, named: str | None) -> None:
    """Has the environment name a library where it named another one, or none."""
    if chosen == TORCH:
        varlen.install()
    of_dense, of_sparse = ("sdpa", varlen.NAME) if chosen == TORCH else (chosen, chosen)
    for variable, value in ((VARIABLE, of_dense), (SPARSE_VARIABLE, of_sparse)):
        if os.environ.get(variable) in (named, None, ""):
            os.environ[variable] = value


def _answers(
    torch: Any, named: str | None, asked: tuple[Any, Any, Any], lengths: tuple[int, ...], everything: bool
) -> dict[str, Answer]:
    """What the named library did, and where it is not right or everything is to be tried, what the others did
    that are."""
    answers: dict[str, Answer] = {}
    if named:
        _try(torch, named, asked, lengths, answers)
    if everything or not answers:
        for name in LIBRARIES:
            if name != named:
                _try(torch, name, asked, lengths, answers)
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


def _torch(q: Any, k: Any, v: Any, lengths: tuple[int, ...]) -> Any:
    torch = importlib.import_module("torch")
    ends = torch.tensor([0, *accumulate(lengths)], dtype=torch.int32, device=q.device)
    return varlen.attend(q, k, v, ends, ends, max(lengths), max(lengths))


TORCH = "torch"
# Those that TRELLIS attends with in sparse tensors, and torch, which does it under the name of one of them.
LIBRARIES: dict[str, Callable[..., Any]] = {"xformers": _xformers, "flash_attn": _flash, TORCH: _torch}
