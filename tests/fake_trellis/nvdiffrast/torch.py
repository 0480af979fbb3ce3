"""What TRELLIS's own code draws meshes with, in name."""

from __future__ import annotations


def rasterize() -> None:
    """Draws nothing."""
