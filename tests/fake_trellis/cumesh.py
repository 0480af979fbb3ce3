"""Holds a mesh, and notes nothing of what is done to it."""

from __future__ import annotations

from typing import Any

from trellis import script


class CuMesh:
    """A mesh; simplifying and cleaning it leave it as it is."""

    def init(self, vertices: Any, faces: Any) -> None:
        self.mesh = vertices, faces

    def simplify(self, target: int) -> None:
        assert target >= 100_000, target
        script.act("simplify")

    def remove_duplicate_faces(self) -> None:
        """There are none."""

    def repair_non_manifold_edges(self) -> None:
        """There are none."""

    def remove_small_connected_components(self, area: float) -> None:
        """There are none."""

    def fill_holes(self, max_hole_perimeter: float) -> None:
        """There are none."""

    def unify_face_orientations(self) -> None:
        """They all look to one side."""

    def read(self) -> tuple[Any, Any]:
        return self.mesh
