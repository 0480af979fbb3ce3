"""Tables in a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from trellis.arrays import Rows


def save_file(tensors: dict[str, Rows], path: str) -> None:
    Path(path).write_text(json.dumps({name: rows.tolist() for name, rows in tensors.items()}), "utf-8")


def load_file(path: str) -> dict[str, Any]:
    return {name: Rows(rows) for name, rows in json.loads(Path(path).read_text("utf-8")).items()}
