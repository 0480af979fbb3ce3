"""A stand-in for torch: what the worker touches, without tensors."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from . import cuda, hub

STAND_IN = True
__version__ = "2.9.1+stand-in"
version = SimpleNamespace(cuda="12.8")
backends = SimpleNamespace(cudnn=SimpleNamespace(benchmark=True, deterministic=False))
utils = SimpleNamespace(deterministic=SimpleNamespace(fill_uninitialized_memory=True))
_seed = 0

# `torch.json` in the model folder: an error to raise when torch is imported.
_broken = Path(os.environ.get("TRELLIS_MODEL_PATH", ".")) / "torch.json"
if _broken.exists():
    raise ImportError(json.loads(_broken.read_text("utf-8"))["import"])


Size = tuple


def use_deterministic_algorithms(mode: bool, warn_only: bool) -> None:
    """Nothing to do."""


def manual_seed(seed: int) -> None:
    global _seed  # noqa: PLW0603 torch's generator is global too
    _seed = seed


@contextmanager
def no_grad() -> Iterator[None]:
    """Nothing to do."""
    yield


def equal(one: Any, other: Any) -> bool:
    return bool(one.tolist() == other.tolist())


def initial_seed() -> int:
    return _seed


def tensor(rows: list[list[Any]], device: Any = None) -> Any:
    from trellis.arrays import Rows

    return Rows(rows)


class device:  # noqa: N801 torch's name
    """A device's name."""

    def __init__(self, name: str) -> None:
        self.type = name

    def __str__(self) -> str:
        return self.type


__all__ = ["cuda", "hub"]
