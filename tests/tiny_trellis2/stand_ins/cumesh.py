"""Stands in for CuMesh: holds a mesh without holes, and has a library reduce its faces where it is installed."""

from __future__ import annotations

from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import torch


class CuMesh:
    """A mesh without holes."""

    num_boundaries = 0

    def init(self, vertices: torch.Tensor, faces: torch.Tensor) -> None:
        """Takes a mesh."""
        self.mesh = vertices, faces

    def get_edges(self) -> None:
        """Nothing asks for them."""

    def get_boundary_info(self) -> None:
        """There are none."""

    def simplify(self, target: int, verbose: bool = False, options: object = None) -> None:
        """Reduces the faces to so many."""
        vertices, faces = self.mesh
        if len(faces) > target and find_spec("fast_simplification"):
            import fast_simplification

            fewer = fast_simplification.simplify(vertices.numpy(), faces.numpy(), target_count=target, agg=3)
            self.mesh = torch.from_numpy(fewer[0]), torch.from_numpy(fewer[1]).int()

    def remove_duplicate_faces(self) -> None:
        """There are none."""

    def repair_non_manifold_edges(self) -> None:
        """There are none."""

    def remove_small_connected_components(self, _area: float) -> None:
        """There is one."""

    def fill_holes(self, max_hole_perimeter: float = 0) -> None:
        """There are none."""

    def unify_face_orientations(self) -> None:
        """Leaves the faces as they are."""

    def read(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The mesh."""
        return self.mesh


def _outside(
    vertices: torch.Tensor,
    faces: torch.Tensor,
    scale: float,
    resolution: int,
    band: float,
    bvh: Any,
    **_more: Any,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The mesh, each vertex moved outwards to the distance from the surface that the rebuilt one has."""
    corners = vertices[faces.long()]
    normals = torch.zeros_like(vertices)
    of_faces = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    for corner in faces.long().unbind(1):
        normals.index_add_(0, corner, of_faces)
    moved = vertices + torch.nn.functional.normalize(normals, dim=1) * band * scale / resolution
    distance = bvh.unsigned_distance(moved)[0]
    assert float((distance - band * scale / resolution).abs().max()) < 0.1 * band / resolution
    return moved, faces


remeshing = SimpleNamespace(remesh_narrow_band_dc=_outside)
