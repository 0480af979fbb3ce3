"""Fewer triangles by quadric edge collapse, as TRELLIS's `decimate` does it, in several goes.

TRELLIS has VTK collapse the cheapest edge at each step, whose cost adds up since the first. Here the library
fast_simplification collapses all edges under a growing threshold, first to a few times the faces that are
asked for. From there it begins again each time that a quarter is gone: costs then are distances from the mesh
as it is, which leaves it nearer to where it was. How near is in docs/performance.md.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

numpy: Any = importlib.import_module("numpy")

# The first go leaves so many times what is asked for, each further one so much of what is there.
FIRST, GO = 4, 0.75
# How fast the threshold grows, as a power of the round, and at most, where that does not suffice.
GROWTH, FASTEST = 3, 7
# Meshes, which are about as large as 1, are blown up: the threshold does not depend on their size.
SCALE = 3.0


def simplifying(postprocess: Callable[..., tuple[Any, Any]]) -> Callable[..., tuple[Any, Any]]:
    """What takes the place of `postprocess_mesh`; VTK simplifies where the library is not installed."""

    def call(vertices: Any, faces: Any, **asked: Any) -> tuple[Any, Any]:
        if asked["simplify"] and find_spec("fast_simplification") is not None:
            vertices, faces = simplify(vertices, faces, 1 - asked["simplify_ratio"])
            asked["simplify"] = False
        return postprocess(vertices, faces, **asked)

    return call


def simplify(vertices: Any, faces: Any, left: float) -> tuple[Any, Any]:
    """A mesh (V, 3) float32, (F, 3) int64 with at most `left` of its faces, where its form allows that."""
    collapse = importlib.import_module("fast_simplification").simplify
    target, growth = int(len(faces) * left), GROWTH
    vertices, faces = (vertices * SCALE).astype(numpy.float32), faces.astype(numpy.int32)
    while len(faces) > target and growth <= FASTEST:
        count = max(target, min(int(len(faces) * GO), FIRST * target))
        fewer = collapse(vertices, faces, target_count=count, agg=growth)
        if not len(fewer[1]):
            break
        growth += len(fewer[1]) == len(faces)
        vertices, faces = fewer
    return vertices / SCALE, faces.astype(numpy.int64)
