"""Leaves a file in the job's folder so that it is either whole or not there."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from .protocol import Artifact, Format

# Name and media type of each format's file.
FILES = {
    Format.GLB: ("model.glb", "model/gltf-binary"),
    Format.STL: ("model.stl", "model/stl"),
    Format.PLY: ("model.ply", "application/ply"),
    Format.GAUSSIAN_PLY: ("gaussians.ply", "application/ply"),
    Format.TURNTABLE: ("turntable.mp4", "video/mp4"),
}


def write(job: str, folder: Path, format_: Format, save: Callable[[Path], object]) -> Artifact:
    """Has `save` write under a temporary name with the right ending, flushes, renames and describes it."""
    name, media_type = FILES[format_]
    temporary = folder / f".part-{name}"
    save(temporary)
    digest = hashlib.sha256()
    with temporary.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
        os.fsync(file.fileno())
    size = temporary.stat().st_size
    temporary.replace(folder / name)
    _flush_folder(folder)
    return Artifact(job, name, format_, media_type, size, digest.hexdigest())


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
