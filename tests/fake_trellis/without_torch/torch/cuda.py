"""A GPU that is always there, unless `cuda.json` in the model folder holds the text of an error."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace

_error = Path(os.environ.get("TRELLIS_MODEL_PATH", ".")) / "cuda.json"


class OutOfMemoryError(RuntimeError):
    """As torch raises it."""


def is_available() -> bool:
    return not _error.exists()


def init() -> None:
    if _error.exists():
        raise RuntimeError(json.loads(_error.read_text("utf-8"))["init"])


def is_initialized() -> bool:
    return True


def get_device_properties(_index: int) -> SimpleNamespace:
    return SimpleNamespace(name="Stand-in GPU", major=12, minor=0, total_memory=24 << 30)


def memory_reserved() -> int:
    return 6 << 30


def max_memory_reserved() -> int:
    return 9 << 30


def reset_peak_memory_stats() -> None:
    """Nothing to do."""


def empty_cache() -> None:
    """Nothing to do."""


def synchronize() -> None:
    """Nothing to do."""
