"""One step of TRELLIS.2's flows, by the number of tokens; for bench_trellis2.py."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from typing import Any

import torch
from flows import GIB, release
from trellis2_size import DEVICE, placed, say
from trellis_worker import guidance

CHANNELS = 1024
TOKENS = (2048, 4096, 8192, 16384, 32768, 49152)


def flows(pipeline: Any) -> None:
    """One step of a flow by its tokens: both guidance passes one after the other, and as one batch."""
    sparse = importlib.import_module("trellis2.modules.sparse")
    placed(pipeline, False)
    # What DINOv3 says of a picture of 512 pixels, and of one of 1024.
    coarse, cond = (torch.randn(2, count, CHANNELS, device=DEVICE) for count in (1029, 4101))
    structure = pipeline.models["sparse_structure_flow_model"]
    dense = torch.randn(2, 8, 16, 16, 16, device=DEVICE)
    step(
        "sparse structure, 4096 tokens",
        lambda pair: structure(
            dense[pair], torch.full((len(dense[pair]),), 500.0, device=DEVICE), coarse[pair]
        ),
    )
    shape = pipeline.models["shape_slat_flow_model_1024"]
    for count in TOKENS:
        row = torch.randperm(64**3, device=DEVICE)[:count].sort().values
        coords = torch.stack([torch.zeros_like(row), row // 4096, row // 64 % 64, row % 64], -1).int()
        other = coords + torch.tensor([1, 0, 0, 0], device=DEVICE, dtype=torch.int32)
        feats = torch.randn(2 * count, 32, device=DEVICE)
        one = sparse.SparseTensor(feats=feats[:count], coords=coords)
        both = sparse.SparseTensor(feats=feats, coords=torch.cat([coords, other]))

        def call(pair: slice, one: Any = one, both: Any = both) -> None:
            x = one if pair == slice(0, 1) else both
            shape(x, torch.full((x.shape[0],), 500.0, device=DEVICE), cond[pair])

        step(f"shape's latent, {count} tokens", call)
        ours(pipeline, f"shape's latent, {count} tokens", one, cond)


def ours(pipeline: Any, what: str, x: Any, cond: Any) -> None:
    """The time of both passes as a job of ours has them, and the most memory."""
    shape = pipeline.models["shape_slat_flow_model_1024"]
    flow = pipeline.token_flows.get(shape)
    if flow is None:
        return
    time_, both = torch.full((1,), 500.0, device=DEVICE), cond.to(shape.dtype)

    def own() -> list[Any]:
        return [shape(x, time_, cond[row : row + 1]).feats for row in range(2)]

    with torch.no_grad(), guidance.remembering(shape):
        release()
        before = torch.cuda.memory_allocated()
        # The first is compared, one of the next is recorded.
        for _ in range(4):
            flow(x, time_, both, own)
        torch.cuda.synchronize()
        started = time.monotonic()
        for _ in range(3):
            flow(x, time_, both, own)
        torch.cuda.synchronize()
    spent, most = (time.monotonic() - started) / 3, (torch.cuda.max_memory_allocated() - before) / GIB
    flow.forget()
    how = "as it is" if flow.works else "TRELLIS.2's own, for ours was another"
    say(f"| two passes, ours: {what} | {spent:.3f} s, {most:.2f} GiB | {how} |")


def step(what: str, call: Callable[[slice], Any]) -> None:
    """The time of two passes, one after the other and as a batch of two, and the most memory of each."""
    found = []
    for pairs in ([slice(0, 1)] * 2, [slice(0, 2)]):
        with torch.no_grad():
            call(pairs[0])
            release()
            before = torch.cuda.memory_allocated()
            torch.cuda.synchronize()
            started = time.monotonic()
            for _ in range(3):
                for pair in pairs:
                    call(pair)
            torch.cuda.synchronize()
        found.append(((time.monotonic() - started) / 3, (torch.cuda.max_memory_allocated() - before) / GIB))
    (one, little), (two, much) = found
    apart, together = f"{one:.3f} s, {little:.2f} GiB", f"at once {two:.3f} s, {much:.2f} GiB"
    say(f"| two passes: {what} | {apart} | {together} | {one / two:.2f} |")
