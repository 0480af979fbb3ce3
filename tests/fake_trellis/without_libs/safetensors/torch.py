"""Tables in a file, and checkpoints by their sizes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from trellis import models
from trellis.arrays import Rows


def save_file(tensors: dict[str, Rows], path: str) -> None:
    Path(path).write_text(json.dumps({name: rows.tolist() for name, rows in tensors.items()}), "utf-8")


def load_file(path: str) -> dict[str, Any]:
    content = Path(path).read_bytes()
    # A checkpoint begins with the length of its header.
    if content.startswith(b"{"):
        return {name: Rows(rows) for name, rows in json.loads(content).items()}
    return dict(models.load_file(path))
