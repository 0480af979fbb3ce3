"""What sampling made, as a file: from it the formats can be made again without sampling.

A safetensors file of tensors, kept bit by bit, so that decoding them gives what decoding at once gave. Which
there are is the family's to say.
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


def saving(tensors: dict[str, Any]) -> Save:
    """What writes them."""
    kept = {name: tensor.detach().cpu() for name, tensor in tensors.items()}
    return lambda path: importlib.import_module("safetensors.torch").save_file(kept, str(path))


def read(path: Path, needed: tuple[str, ...]) -> dict[str, Any]:
    """All tensors of a file, the needed ones among them, in main memory."""
    # What safetensors says of it is not told as the cause: that would be a damaged checkpoint.
    with suppress(Exception):
        tensors = dict(importlib.import_module("safetensors.torch").load_file(str(path)))
        if tensors.keys() >= set(needed):
            return tensors
    raise WorkerError(Kind.BAD_INPUT, "the kept latents cannot be read")
