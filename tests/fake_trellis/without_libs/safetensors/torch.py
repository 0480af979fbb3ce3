"""Tables in a file, and checkpoints by their sizes."""

from __future__ import annotations

import json
import struct
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
    if Path(path).name == "mesh.safetensors":
        (length,) = struct.unpack_from("<Q", content)
        header, body = json.loads(content[8 : 8 + length]), memoryview(content)[8 + length :]
        return {name: _rows(tensor, body) for name, tensor in header.items()}
    return dict(models.load_file(path))


def _rows(tensor: dict[str, Any], body: memoryview) -> Rows:
    """Of a mesh that is to be textured the numbers, without torch too."""
    count, width = tensor["shape"]
    form = {"F32": "f", "I32": "i"}[tensor["dtype"]]
    values = iter(struct.unpack_from(f"<{count * width}{form}", body, tensor["data_offsets"][0]))
    return Rows([[next(values) for _ in range(width)] for _ in range(count)])
