"""A mesh to be textured, as the server hands it to a worker: a thin rod, which has few voxels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

# Along the rod, and around it.
LONG, AROUND = 64, 8
RADIUS = 0.02
# Where it lies, and how long it is.
MIDDLE, LENGTH = (3.0, -2.0, 5.0), 4.0


def rod() -> tuple[Any, Any, Any, Any]:
    """Vertices (V, 3) Y up, faces (F, 3), normals (V, 3) and coordinates (V, 2), with a seam along the rod."""
    along = torch.arange(LONG + 1) / LONG
    turn = torch.arange(AROUND + 1) / AROUND
    u, v = (axis.reshape(-1) for axis in torch.meshgrid(along, turn, indexing="ij"))
    angle = v * 2 * torch.pi
    # The seam's two vertices are in one place to the bit.
    angle = torch.where(v == 1, torch.zeros_like(angle), angle)
    normals = torch.stack([torch.zeros_like(u), angle.cos(), angle.sin()], 1)
    places = torch.stack([u - 0.5, RADIUS * angle.cos(), RADIUS * angle.sin()], 1)
    vertices = places * LENGTH + torch.tensor(MIDDLE)
    row, column = (
        axis.reshape(-1) for axis in torch.meshgrid(torch.arange(LONG), torch.arange(AROUND), indexing="ij")
    )
    first = row * (AROUND + 1) + column
    below, right, both = first + AROUND + 1, first + 1, first + AROUND + 2
    faces = torch.cat([torch.stack([first, below, right], 1), torch.stack([right, below, both], 1)])
    return vertices, faces.int(), normals, torch.stack([u, v], 1)


def write(path: Path, uvs: bool = True, normals: bool = True) -> str:
    """The rod's file."""
    from safetensors.torch import save_file

    vertices, faces, facing, coordinates = (tensor.contiguous() for tensor in rod())
    tensors = {"vertices": vertices, "faces": faces}
    if normals:
        tensors["normals"] = facing
    if uvs:
        tensors["uvs"] = coordinates
    save_file(tensors, str(path))
    return str(path)
