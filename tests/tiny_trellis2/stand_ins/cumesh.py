"""Stands in for CuMesh: holds a mesh, and changes nothing about it."""

from __future__ import annotations

import torch


class CuMesh:
    """A mesh without holes that has few faces already."""

    num_boundaries = 0

    def init(self, vertices: torch.Tensor, faces: torch.Tensor) -> None:
        """Takes a mesh."""
        self.mesh = vertices, faces

    def get_edges(self) -> None:
        """Nothing asks for them."""

    def get_boundary_info(self) -> None:
        """There are none."""

    def simplify(self, _target: int, verbose: bool = False, options: object = None) -> None:
        """Leaves the mesh as it is."""

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
