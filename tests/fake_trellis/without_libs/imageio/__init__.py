"""A stand-in for imageio: the frames one after another."""

from __future__ import annotations

from pathlib import Path


def mimsave(path: str, frames: list[bytes], fps: int) -> None:
    Path(path).write_bytes(b"".join(frames))
