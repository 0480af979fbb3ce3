"""Fewer triangles by quadric edge collapse, as TRELLIS's `decimate` does it, in several goes.

TRELLIS has VTK collapse the cheapest edge at each step, whose cost adds up since the first. Here the library
fast_simplification collapses all edges under a growing threshold, and begins again each time that a quarter is
gone: costs then are distances from the mesh as it is, which leaves it nearer to where it was. See
docs/performance.md for how near, and tests/worker-torch/test_simplify.py.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

numpy: Any = importlib.import_module("numpy")

# So much is left in each go.
GO = 0.75
# How fast the threshold grows, as a power of the round, and at most, where that does not suffice. Meshes, which
# are about as large as 1, are blown up, since the threshold does not know how large they are.
GROWTH, FASTEST, SCALE = 3, 7, 3.0


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
        before = len(faces)
        vertices, faces = collapse(vertices, faces, target_count=max(target, int(before * GO)), agg=growth)
        growth += len(faces) == before
    return vertices / SCALE, faces.astype(numpy.int64)
