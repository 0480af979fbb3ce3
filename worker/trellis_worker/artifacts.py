"""Leaves a file in the job's folder so that it is either whole or not there.

The server keeps what it wants to keep: it hashes a file and flushes it to disk while it stores it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from .protocol import Artifact, Format

# The name of each format's file.
NAMES = {
    Format.GLB: "model.glb",
    Format.STL: "model.stl",
    Format.PLY: "model.ply",
    Format.GAUSSIAN_PLY: "gaussians.ply",
    Format.TURNTABLE: "turntable.mp4",
    Format.VXZ: "model.vxz",
}


def write(job: str, folder: Path, format_: Format, save: Callable[[Path], object]) -> Artifact:
    """Has `save` write under a temporary name with the right ending, then renames and describes the file."""
    name = NAMES[format_]
    return Artifact(job, name, format_, whole(folder, name, save))


def whole(folder: Path, name: str, save: Callable[[Path], object]) -> int:
    """The size of what `save` writes, once it has its name."""
    temporary = folder / f".part-{name}"
    save(temporary)
    size = temporary.stat().st_size
    temporary.replace(folder / name)
    return size
