"""Reads the mesh of a job that textures one.

The server has read the file that was submitted and writes what it found as safetensors: `vertices` (V, 3)
float32 with Y up, `faces` (F, 3) int32, and where the file has them `normals` (V, 3) and `uvs` (V, 2)
float32, V up.
"""

from __future__ import annotations

import importlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .facts import is_stand_in
from .failures import WorkerError
from .protocol import Kind


@dataclass(frozen=True)
class GivenMesh:
    """Tensors in main memory."""

    vertices: Any
    faces: Any
    normals: Any
    uvs: Any


def read(path: Path) -> GivenMesh:
    """The mesh that the server wrote."""
    # What safetensors says of it would be taken for a damaged checkpoint.
    with suppress(Exception):
        tensors = dict(importlib.import_module("safetensors.torch").load_file(str(path)))
        if {"vertices", "faces"} <= tensors.keys():
            return GivenMesh(
                tensors["vertices"], tensors["faces"], tensors.get("normals"), tensors.get("uvs")
            )
    raise WorkerError(Kind.BAD_INPUT, "the mesh cannot be read")


def without_strays(mesh: GivenMesh) -> GivenMesh:
    """Without the vertices that no face uses. The mesh is scaled to fit the grid, and they would count."""
    if is_stand_in():
        return mesh
    used, faces = mesh.faces.unique(return_inverse=True)
    if len(used) == len(mesh.vertices):
        return mesh
    used = used.long()
    vertices, normals, uvs = (
        None if tensor is None else tensor[used] for tensor in (mesh.vertices, mesh.normals, mesh.uvs)
    )
    return GivenMesh(vertices, faces.int(), normals, uvs)
