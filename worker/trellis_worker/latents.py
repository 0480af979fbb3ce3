"""What sampling made, as a file: from it the formats can be made again without sampling.

A safetensors file of two tensors with a row for each voxel: `coords` (four whole numbers: the sample, always
0, and a place in the grid) and `feats` (a number for each channel). Both are kept bit by bit, so that
decoding them gives what decoding at once gave.
"""

from __future__ import annotations

import importlib
from contextlib import suppress
from pathlib import Path
from typing import Any

from .failures import WorkerError
from .family import Save
from .protocol import Kind

NAME = "latents.safetensors"


def saving(coords: Any, feats: Any) -> Save:
    """What writes them."""
    tensors = {"coords": coords.detach().cpu(), "feats": feats.detach().cpu()}
    return lambda path: importlib.import_module("safetensors.torch").save_file(tensors, str(path))


def read(path: Path, device: Any) -> tuple[Any, Any]:
    """The two tensors on `device`."""
    # What safetensors says of it is not told as the cause: that would be a damaged checkpoint.
    with suppress(Exception):
        tensors = importlib.import_module("safetensors.torch").load_file(str(path))
        return tensors["coords"].to(device), tensors["feats"].to(device)
    raise WorkerError(Kind.BAD_INPUT, "the kept latents cannot be read")
