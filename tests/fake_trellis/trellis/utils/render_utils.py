"""Frames of a turning object, all alike."""

from __future__ import annotations

from typing import Any


def render_video(sample: Any, num_frames: int, verbose: bool) -> dict[str, list[bytes]]:
    return {"color": [b"frame"] * num_frames}
