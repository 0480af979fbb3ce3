"""From voxels with a vertex each to triangles, and from triangles to voxels."""

from __future__ import annotations

from typing import Any

import torch
from flex_gemm.ops.lookup import Lookup

# The four voxels at the edge of each axis that is told of for the first of them.
AROUND = torch.tensor(
    [
        [[0, 0, 0], [0, 0, 1], [0, 1, 1], [0, 1, 0]],
        [[0, 0, 0], [1, 0, 0], [1, 0, 1], [0, 0, 1]],
        [[0, 0, 0], [0, 1, 0], [1, 1, 0], [1, 0, 0]],
    ]
)


def flexible_dual_grid_to_mesh(
    coords: torch.Tensor,
    dual_vertices: torch.Tensor,
    intersected_flag: torch.Tensor,
    split_weight: Any,
    aabb: list[list[float]],
    grid_size: int,
    train: bool = False,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Vertices (N, 3), and two triangles for each crossed edge whose four voxels there are."""
    del split_weight, train
    low, high = torch.tensor(aabb, dtype=torch.float32)
    vertices = (coords.float() + dual_vertices.float()) * ((high - low) / grid_size) + low
    quads = Lookup(coords).rows((coords[:, None, None].long() + AROUND)[intersected_flag])
    quads = quads[(quads >= 0).all(-1)]
    return vertices, quads[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3).int()


def mesh_to_flexible_dual_grid(
    vertices: torch.Tensor,
    faces: torch.Tensor,
    grid_size: int,
    aabb: list[list[float]],
    timing: bool = False,
    **_weights: Any,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Of each voxel that the mesh goes through its place (N, 3), a vertex (N, 3) from 0 to 1 in the grid, and
    which of three edges is crossed (N, 3). The real one solves for the vertex, and looks at the edges."""
    assert not timing, "it would print"
    low, high = torch.tensor(aabb, dtype=torch.float32)
    corners = ((vertices - low) / (high - low))[faces.long()]
    # Until none is longer than half a voxel.
    while len(long := _longest(corners)) and float(long.max()) > 0.5 / grid_size:
        corners = torch.cat([corners[long <= 0.5 / grid_size], _quartered(corners[long > 0.5 / grid_size])])
    places = corners.mean(1)
    coords, of_place = (places * grid_size).floor().int().unique(dim=0, return_inverse=True)
    sums = torch.zeros(len(coords), 3).index_add_(0, of_place, places)
    counts = torch.zeros(len(coords)).index_add_(0, of_place, torch.ones(len(places)))
    return coords, sums / counts[:, None], torch.zeros(len(coords), 3, dtype=torch.bool)


def _longest(corners: torch.Tensor) -> torch.Tensor:
    return (corners - corners.roll(1, 1)).norm(dim=2).amax(1)


def _quartered(corners: torch.Tensor) -> torch.Tensor:
    """Four triangles of each, by the middles of its edges."""
    a, b, c = corners.unbind(1)
    ab, bc, ca = (a + b) / 2, (b + c) / 2, (c + a) / 2
    parts = ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))
    return torch.cat([torch.stack(part, 1) for part in parts])
