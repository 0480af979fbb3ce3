"""Opens a job's pictures as TRELLIS wants them."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from .failures import WorkerError
from .protocol import Kind

# Alpha from which a pixel is opaque, as the server's own reader takes it: encoders and editors round it.
OPAQUE = 250


def open_picture(path: Path) -> Any:
    """A PIL image: RGBA where its alpha channel holds a mask, and RGB elsewhere. The server wrote the PNG: it
    is upright and has 8 bits."""
    image_module = importlib.import_module("PIL.Image")
    try:
        with image_module.open(path) as image:
            image.load()
    except (OSError, ValueError, SyntaxError) as error:
        raise WorkerError(
            Kind.BAD_INPUT, "a picture cannot be read: it is damaged or not a picture"
        ) from error
    # TRELLIS takes any alpha below 255 for a mask, and then removes no background.
    as_it_is = image.mode == "RGB" or (image.mode == "RGBA" and holds_a_mask(*image.getextrema()[3]))
    return image if as_it_is else image.convert("RGB")


def holds_a_mask(least: int, most: int) -> bool:
    """Whether an alpha channel tells one place from another."""
    return least != most and least < OPAQUE


def squared(image: Any) -> Any:
    """Black bars, so that resizing to the encoder's square does not distort."""
    image_module = importlib.import_module("PIL.Image")
    side = max(image.size)
    square = image_module.new("RGB", (side, side))
    square.paste(image, ((side - image.size[0]) // 2, (side - image.size[1]) // 2))
    return square
