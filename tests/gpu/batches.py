"""Several jobs in one call of a flow, against one job after the other; for bench_trellis.py.

Both sides are ours at their best: guidance in one batch and recordings for the sparse structure, one tensor
with the voxels of all jobs for the structured latent. What is printed is a job's share of twelve steps.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from flows import GIB, Flow, placed, release
from trellis_worker import graphs, guidance
from trellis_worker.latent_flow import LatentFlow, Places

STEPS = 12
COUNTS = (2, 4)
# What DINOv2 says of a picture.
TOKENS, CHANNELS = 1374, 1024
# How far the voxels of two jobs lie from each other: no convolution reaches across.
APART = 256


def measure(flow: Flow, rounds: int, voxels: Any) -> None:
    """Prints both flows; `voxels` (N, 3) are those of each job."""
    placed(flow.pipeline)
    models = flow.pipeline.models
    with torch.no_grad():
        structures(models["sparse_structure_flow_model"], rounds)
        latents(models["slat_flow_model"], flow.pipeline.latent_flow._attention, rounds, voxels)


def structures(model: Any, rounds: int) -> None:
    """The sparse structure, whose steps are played from recordings."""
    device = next(model.parameters()).device
    for count in COUNTS:
        played = graphs.Graphs(model) if device.type == "cuda" else model
        side = (model.in_channels, *[model.resolution] * 3)
        x = torch.randn(count, 1, *side, device=device).expand(-1, 2, *[-1] * len(side))
        cond = torch.randn(2 * count, TOKENS, CHANNELS, device=device, dtype=model.dtype)

        def alone(number: int, played: Any = played, x: Any = x, cond: Any = cond) -> None:
            played(x[number], _times(2, device), cond[2 * number : 2 * number + 2])

        def together(played: Any = played, x: Any = x, cond: Any = cond) -> None:
            played(x.flatten(0, 1), _times(len(cond), device), cond)

        compare(f"sparse structure, {count} jobs", count, (alone, together), rounds)
        if device.type == "cuda":
            played.forget()
        release()


def latents(model: Any, attend: Callable[..., Any], rounds: int, voxels: Any) -> None:
    """The structured latent, guided: two rows, with and without the condition."""
    device = voxels.device
    for count in COUNTS:
        conds = [torch.randn(2, TOKENS, CHANNELS, device=device, dtype=model.dtype) for _ in range(count)]
        feats = [torch.randn(len(voxels), model.in_channels, device=device) for _ in range(count)]
        single, joined = LatentFlow(model, attend), Joined(model, attend, [voxels] * count)
        one, all_ = Voxels(voxels, feats), Voxels(joined.voxels, [torch.cat(feats)])
        cond = torch.cat(conds, 1)

        def alone(number: int, single: Any = single, one: Any = one, conds: Any = conds) -> None:
            single._answers(one.feats[number], _times(1, device), conds[number])

        def together(joined: Any = joined, all_: Any = all_, cond: Any = cond) -> None:
            joined.flow._answers(all_.feats[0], _times(1, device), cond)

        single._places, joined.flow._places = Places.of(one.voxels), Places.of(all_.voxels)
        with guidance.remembering(model), joined.as_one():
            compare(
                f"structured latent, {count} jobs of {len(voxels)} voxels", count, (alone, together), rounds
            )
        release()


class Voxels:
    """Those of a sparse tensor, with numbers for each of several jobs."""

    def __init__(self, voxels: Any, feats: list[Any]) -> None:
        self.voxels, self.feats = voxels, feats


class Joined:
    """Our latent's flow for the voxels of several jobs at once. A row of the condition has the tokens of
    all jobs, one after the other, and attention keeps each job to its own."""

    def __init__(self, model: Any, attend: Callable[..., Any], jobs: list[Any]) -> None:
        self._model = model
        self._attend = attend
        self.voxels = torch.cat(
            [own + own.new_tensor([number * APART, 0, 0]) for number, own in enumerate(jobs)]
        )
        self._coarse = [len((own // 2).unique(dim=0)) for own in jobs]
        self.flow = LatentFlow(model, self._attention)

    def _attention(self, q: Any, k: Any, v: Any) -> Any:
        own = k.shape[1] == sum(self._coarse)
        of_keys = self._coarse if own else [k.shape[1] // len(self._coarse)] * len(self._coarse)
        jobs = zip(q.split(self._coarse, 1), k.split(of_keys, 1), v.split(of_keys, 1), strict=True)
        return torch.cat([self._attend(*(part.contiguous() for part in three)) for three in jobs], 1)

    @contextmanager
    def as_one(self) -> Iterator[None]:
        """While it is open, each job's voxels are embedded where the job has them."""
        embedder = self._model.pos_embedder
        before = embedder.forward
        embedder.forward = lambda places: before(torch.cat([places[:, :1] % (APART // 2), places[:, 1:]], 1))
        try:
            yield
        finally:
            del embedder.forward


def _times(count: int, device: Any) -> Any:
    return torch.full((count,), 500.0, device=device)


def compare(
    what: str, count: int, calls: tuple[Callable[[int], None], Callable[[], None]], rounds: int
) -> float:
    """Prints the seconds of a job's steps both ways, and gives how many times faster one call is."""
    alone, together = calls
    times: tuple[list[float], list[float]] = ([], [])
    most = []

    def in_turns() -> None:
        for number in range(count):
            for _ in range(STEPS):
                alone(number)

    def at_once() -> None:
        for _ in range(STEPS):
            together()

    for ours, spent in zip((in_turns, at_once), times, strict=True):
        # Recordings are made, and libraries prepare themselves.
        ours()
        release()
        before = torch.cuda.memory_allocated()
        for _ in range(rounds):
            torch.cuda.synchronize()
            started = time.monotonic()
            ours()
            torch.cuda.synchronize()
            spent.append((time.monotonic() - started) / count)
        most.append((torch.cuda.max_memory_allocated() - before) / GIB)
    turns, once = map(statistics.median, times)
    print(
        f"| a job's {STEPS} steps: {what} | one after the other {turns:.3f} s, {most[0]:.2f} GiB | "
        f"in one call {once:.3f} s, {most[1]:.2f} GiB | {turns / once:.2f} |",
        flush=True,
    )
    return turns / once
