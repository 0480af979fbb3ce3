"""The object of a picture on black, as TRELLIS.2's encoder expects it; the background is found by U²-Net.

TRELLIS.2 would take RMBG-2.0 for that, whose licence forbids commercial use.
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

from .failures import WorkerError
from .pictures import squared
from .protocol import Kind

LONGEST_SIDE = 1024
# Alpha above which a pixel belongs to the object.
SEEN = 204


def on_black(picture: Any, remove_background: bool) -> Any:
    """An RGB picture, square, cropped to the object."""
    if picture.mode != "RGBA":
        if not remove_background:
            return squared(picture)
        picture = importlib.import_module("rembg").remove(shrunk(picture), session=_session())
    picture = shrunk(picture)
    box = picture.getchannel("A").point(lambda alpha: 255 if alpha > SEEN else 0).getbbox()
    if box is None:
        raise WorkerError(Kind.NO_OBJECT, "no object was found in the picture")
    image_module = importlib.import_module("PIL.Image")
    side = max(box[2] - box[0], box[3] - box[1])
    left, top = (box[0] + box[2] - side) // 2, (box[1] + box[3] - side) // 2
    square = picture.crop((left, top, left + side, top + side))
    black = image_module.new("RGB", square.size)
    black.paste(square.convert("RGB"), mask=square.getchannel("A"))
    return black


def shrunk(picture: Any) -> Any:
    """No side longer than the encoder can use."""
    scale = LONGEST_SIDE / max(picture.size)
    if scale >= 1:
        return picture
    lanczos = importlib.import_module("PIL.Image").Resampling.LANCZOS
    return picture.resize(tuple(max(round(side * scale), 1) for side in picture.size), lanczos)


@cache
def _session() -> Any:
    return importlib.import_module("rembg").new_session("u2net")
