"""Has CuMesh reduce a mesh's faces, and clean it, as TRELLIS.2's `to_glb` does."""

from __future__ import annotations

from typing import Any

from ..stages import Stages

# What `to_glb` gives CuMesh: the area of a piece that stays, and the way around a hole that is filled.
SMALLEST_PIECE = 1e-5
LARGEST_HOLE = 3e-2


def reduce(mesh: Any, target: int, stages: Stages) -> None:
    """Has CuMesh reduce the faces of what it holds in two goes and clean it after each."""
    for most in (3 * target, target):
        mesh.simplify(most)
        mesh.remove_duplicate_faces()
        mesh.repair_non_manifold_edges()
        mesh.remove_small_connected_components(SMALLEST_PIECE)
        mesh.fill_holes(max_hole_perimeter=LARGEST_HOLE)
        stages.check()
