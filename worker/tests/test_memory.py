"""What a job that failed leaves behind: no memory, and models where the next job expects them."""

from __future__ import annotations

import threading
import unittest
import weakref
from types import SimpleNamespace
from typing import Any

from trellis_worker.failures import Cancelled
from trellis_worker.placement import Placement
from trellis_worker.protocol import Failed, Generate, to_worker
from trellis_worker.session import Session

from .kit import snapshot


class Tensor:
    """Something that a job holds."""


class Model:
    """Knows where it is, and may not fit."""

    def __init__(self, fits: bool = True) -> None:
        self.where, self.fits = "cpu", fits

    def to(self, device: str) -> None:
        if device != "cpu" and not self.fits:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        self.where = device


def _stages(*_job: Any) -> Any:
    return SimpleNamespace(current=None)


def answers(engine: Any) -> list[Any]:
    """What a session with this engine says to a job."""
    sent: list[Any] = []
    session = Session(SimpleNamespace(send=sent.append))
    session._engine = engine
    request = to_worker(snapshot("to_worker.generate"))
    assert isinstance(request, Generate)
    session._cancelled[request.job] = threading.Event()
    session._generate(request)
    return sent


class Memory(unittest.TestCase):
    def test_what_a_failed_job_held_is_free_once_memory_is_given_back(self) -> None:
        for kind in (RuntimeError, Cancelled):
            held: list[weakref.ref[Tensor]] = []
            alive: list[bool] = []

            def run(*_job: Any, kind: Any = kind, held: Any = held) -> Any:
                tensor = Tensor()
                held.append(weakref.ref(tensor))
                raise kind

            def clean(alive: Any = alive, held: Any = held) -> None:
                alive.append(held[0]() is not None)

            sent = answers(SimpleNamespace(run=run, clean=clean, stages=_stages))
            self.assertEqual((len(sent), alive), (1, [False]), kind)

    def test_what_failed_is_said_where_memory_cannot_be_given_back(self) -> None:
        def fail(*_job: Any) -> Any:
            raise RuntimeError("CUDA error: an illegal memory access was encountered")

        def unchanged() -> None:
            raise RuntimeError("CUDA error: clean met it again")

        with self.assertLogs("trellis_worker.session", "ERROR"):
            (sent,) = answers(SimpleNamespace(run=fail, clean=unchanged, stages=_stages))
        self.assertIsInstance(sent, Failed)
        self.assertIn("an illegal memory access", sent.message)
        self.assertNotIn("clean met it again", sent.traceback)
        self.assertTrue(sent.replace)

    def test_where_not_all_models_fit_all_are_in_main_memory_again(self) -> None:
        small, large = Model(), Model(fits=False)
        placement = Placement({"small": small, "large": large}, "cuda", lambda: None)
        with self.assertRaises(RuntimeError):
            placement.choose(False)
        self.assertEqual((small.where, large.where, placement.low_vram), ("cpu", "cpu", True))
        large.fits = True
        placement.choose(False)
        self.assertEqual((small.where, large.where, placement.low_vram), ("cuda", "cuda", False))
