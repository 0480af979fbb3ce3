"""Unwraps a mesh with xatlas, with charts that do not grow beyond a size.

xatlas looks at all faces around a chart each time that it adds one, so large charts take long, above all
where it goes on to add faces that turn away from the rest. What this does to the seams is in
docs/performance.md.
"""

from __future__ import annotations

import importlib
from typing import Any

numpy: Any = importlib.import_module("numpy")

# What a face may cost that is added to a chart; xatlas itself goes up to 2.
COST = 0.4
# A chart covers at most as much as so many faces of average size.
CHART_FACES = 2600


def parametrise(vertices: Any, faces: Any) -> tuple[Any, Any, Any]:
    """What TRELLIS's `parametrize_mesh` gives: vertices (V, 3), faces (F, 3) and coordinates (V, 2)."""
    mapping, indices, uvs = mapped(vertices, faces)
    return vertices[mapping], indices, uvs


def mapped(vertices: Any, faces: Any) -> tuple[Any, Any, Any]:
    """Which vertex each new one is (N), faces (F, 3) of the new ones and their coordinates (N, 2)."""
    xatlas = importlib.import_module("xatlas")
    corners = vertices[faces]
    normals = numpy.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    average = float(numpy.linalg.norm(normals, axis=1).mean() / 2)
    options = xatlas.ChartOptions()
    options.max_cost = COST
    options.max_chart_area = average * CHART_FACES
    atlas = xatlas.Atlas()
    atlas.add_mesh(vertices, faces)
    atlas.generate(chart_options=options)
    mapping, indices, uvs = atlas[0]
    return mapping, indices, uvs
