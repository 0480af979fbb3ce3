"""Meshes; simplifying one leaves it as it is."""

from __future__ import annotations

from typing import Any

from trellis import script
from trellis.arrays import table


class Mesh:
    """Vertices and faces."""

    def __init__(self, vertices: Any, faces: Any) -> None:
        self.vertices = vertices
        self.faces = faces

    def fill_holes(self) -> None:
        """There are none."""

    def simplify(self, target: int) -> None:
        assert target >= 100_000, target
        script.act("simplify")


class MeshWithVoxel(Mesh):
    """A mesh and the voxels that have its colours."""

    def __init__(self, vertices: Any, faces: Any, **voxels: Any) -> None:
        super().__init__(vertices, faces)
        vars(self).update(voxels)

    def query_vertex_attrs(self) -> Any:
        return table([[0.5, 0.25, 1.0, 0.0, 0.5, 1.0] for _ in range(len(self.vertices))])


class Voxel:
    """What voxels hold."""

    def __init__(self, **held: Any) -> None:
        vars(self).update(held)
