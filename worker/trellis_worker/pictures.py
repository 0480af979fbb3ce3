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
    """A PIL image, upright, RGBA where its alpha channel holds a mask and RGB elsewhere."""
    image_module = importlib.import_module("PIL.Image")
    operations = importlib.import_module("PIL.ImageOps")
    try:
        with image_module.open(path) as image:
            image.load()
            upright = operations.exif_transpose(image)
    except (OSError, ValueError, SyntaxError) as error:
        raise WorkerError(
            Kind.BAD_INPUT, "a picture cannot be read: it is damaged or not a picture"
        ) from error
    return _eight_bits(upright)


def _eight_bits(image: Any) -> Any:
    if image.mode.startswith("I") or image.mode == "F":
        # 16-bit grey: `convert` alone would clip everything above 255 to white.
        image = image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    transparent = image.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in image.info
    if not transparent:
        return image.convert("RGB")
    image = image.convert("RGBA")
    # TRELLIS takes any alpha below 255 for a mask, and then removes no background.
    return image if _holds_a_mask(*image.getextrema()[3]) else image.convert("RGB")


def _holds_a_mask(least: int, most: int) -> bool:
    """Whether an alpha channel tells one place from another."""
    return least != most and least < OPAQUE


def prepared(pipeline: Any, image: Any, remove_background: bool) -> Any:
    """The picture cropped to its object on black, as the pipeline's encoder expects it."""
    if not remove_background and image.mode != "RGBA":
        return _squared(image)
    try:
        return pipeline.preprocess_image(image)
    except ValueError as error:
        # The reference takes the minimum of an empty array where nothing is left of the picture.
        if "zero-size array" in str(error):
            raise WorkerError(Kind.NO_OBJECT, "no object was found in the picture") from error
        raise


def _squared(image: Any) -> Any:
    """Black bars, so that resizing to the encoder's square does not distort."""
    image_module = importlib.import_module("PIL.Image")
    side = max(image.size)
    square = image_module.new("RGB", (side, side))
    square.paste(image, ((side - image.size[0]) // 2, (side - image.size[1]) // 2))
    return square
