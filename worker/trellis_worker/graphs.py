"""Records what a dense flow does on the GPU, and plays it back: CUDA graphs.

Each step of a flow starts some thousand small kernels, and the processor takes longer to start them than a
fast GPU to run them. The dense flow's shapes are the same in each step of each job. Its second call with a
shape is recorded, after the first has had every library prepare itself: in the warm-up, where there is one.
The kernels are the same, so is the result; the first one played is compared with the flow's own, and where it
is another, nothing is recorded from then on. A recording holds the addresses of the weights: it goes when
they move.

Names: Microsoft's TRELLIS, `trellis/models/sparse_structure_flow.py`, and TRELLIS.2's of the same name.
"""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

torch: Any = importlib.import_module("torch")
log = logging.getLogger(__name__)

# `on` or `off`.
VARIABLE = "TRELLIS_WORKER_GRAPHS"
# Shapes that are recorded: the guided and the unguided steps of one picture, or of several.
SHAPES = 4
# How far the first answer played may be from the flow's own, in parts of its largest number.
ROUNDING = 0.02
Work = Callable[[], Any]
Record = Callable[[Work], tuple[Any, Callable[[], None]]]


def wanted() -> bool:
    """Whether the server's environment asks for recordings, and a GPU is here."""
    return os.environ.get(VARIABLE) == "on" and bool(torch.cuda.is_available())


def on_gpu(work: Work) -> tuple[Any, Callable[[], None]]:
    """Records what `work` starts; gives where its result will be, and what plays it."""
    graph = torch.cuda.CUDAGraph()
    # Other threads may use the GPU meanwhile.
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        result = work()
    return result, graph.replay


@dataclass(frozen=True)
class Recording:
    """One shape's."""

    inputs: tuple[Any, ...]
    answer: Any
    play: Callable[[], None]


class Graphs:
    """Takes the place of a dense flow model in a sampler's calls."""

    def __init__(self, model: Any, record: Record = on_gpu) -> None:
        self._model = model
        self._record = record
        self._weights: list[int] = []
        self._seen: set[Any] = set()
        self._recordings: dict[Any, Recording] = {}
        self.works = True

    def forget(self) -> None:
        """Gives the recordings' memory back."""
        self._seen.clear()
        self._recordings.clear()

    def __call__(self, x: Any, t: Any, cond: Any) -> Any:
        """The model's answer."""
        weights = [parameter.data_ptr() for parameter in self._model.parameters()]
        if weights != self._weights:
            self.forget()
            self._weights = weights
        shape = (x.shape, x.dtype, cond.shape, cond.dtype)
        recording = self._recordings.get(shape)
        if recording is None and shape in self._seen and self.works and len(self._recordings) < SHAPES:
            recording = self._recorded(shape, x, t, cond)
        self._seen.add(shape)
        if recording is None:
            return self._model(x, t, cond)
        # The embedding copies a table from main memory, which no recording can hold.
        for place, value in zip(recording.inputs, (x, self._model.t_embedder(t), cond), strict=True):
            place.copy_(value)
        recording.play()
        return recording.answer.clone()

    def _recorded(self, shape: Any, x: Any, t: Any, cond: Any) -> Recording | None:
        embedder = self._model.t_embedder
        inputs = tuple(value.contiguous().clone() for value in (x, embedder(t), cond))
        embedder.forward = lambda _t: inputs[1]
        try:
            answer, play = self._record(lambda: self._model(inputs[0], t, inputs[2]))
        except RuntimeError as error:
            # Too little memory, or a library that waits for the GPU: it works as before.
            log.warning("a flow's steps are not recorded: %s", error)
            self.works = False
            return None
        finally:
            del embedder.forward
        play()
        if not _alike(answer, self._model(x, t, cond)):
            log.warning("a flow's steps are not recorded: what is played is not the same")
            self.works = False
            return None
        self._recordings[shape] = Recording(inputs, answer, play)
        return self._recordings[shape]


def _alike(played: Any, own: Any) -> bool:
    """What is not a number is not alike."""
    return bool((played - own).abs().max() <= ROUNDING * own.abs().max())
