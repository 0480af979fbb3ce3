"""Pictures by their size and mode only. PNG, JPEG and WebP are recognised by their first bytes."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

from . import UnidentifiedImageError


class Image:
    """A picture without pixels."""

    def __init__(self, mode: str, size: tuple[int, int], whole: bool = True) -> None:
        self.mode = mode
        self.size = size
        self.info: dict[str, Any] = {}
        self._whole = whole

    def __enter__(self) -> Image:
        return self

    def __exit__(self, *_exception: object) -> None:
        """Nothing to close."""

    def load(self) -> None:
        if not self._whole:
            raise OSError("image file is truncated")

    def convert(self, mode: str) -> Image:
        return Image(mode, self.size)

    def getextrema(self) -> tuple[tuple[int, int], ...]:
        """As of a picture that uses all values of each channel."""
        return ((0, 255),) * len(self.mode)

    def paste(self, image: Image, at: Any = None, mask: Any = None) -> None:
        """Nothing to do."""

    def getchannel(self, name: str) -> Image:
        return Image("L", self.size)

    def point(self, rule: Any) -> Image:
        return self

    def getbbox(self) -> tuple[int, int, int, int]:
        return (0, 0, *self.size)

    def crop(self, box: tuple[int, int, int, int]) -> Image:
        return Image(self.mode, (box[2] - box[0], box[3] - box[1]))

    def histogram(self) -> list[int]:
        """As of a channel that is full everywhere."""
        return [0] * 255 + [self.size[0] * self.size[1]]

    def save(self, path: Path) -> None:
        """A PNG header and end."""
        width, height = self.size
        head = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
        Path(path).write_bytes(head + b"\0\0\0\0IEND\xaeB`\x82")


def open(path: Path) -> Image:  # noqa: A001 Pillow's name
    content = Path(path).read_bytes()
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        width, height, _, colour = struct.unpack_from(">IIBB", content, 16)
        mode = {2: "RGB", 6: "RGBA", 0: "L", 4: "LA", 3: "P"}[colour]
        return Image(mode, (width, height), b"IEND" in content[-12:])
    if content.startswith(b"\xff\xd8") or content[8:12] == b"WEBP":
        return Image("RGB", (64, 64))
    raise UnidentifiedImageError("cannot identify image file")


def new(mode: str, size: tuple[int, int], _colour: Any = 0) -> Image:
    return Image(mode, size)
