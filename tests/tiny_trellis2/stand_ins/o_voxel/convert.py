"""From voxels with a vertex each to triangles."""

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
