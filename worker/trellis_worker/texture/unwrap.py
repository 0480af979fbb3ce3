"""Unwraps a mesh with xatlas, with charts that do not grow beyond a size.

xatlas looks at all faces around a chart each time that it adds one, so large charts take long. Smaller ones
pack better, too, and leave a little more seam: see docs/performance.md.
"""

from __future__ import annotations

import importlib
from typing import Any

numpy: Any = importlib.import_module("numpy")

# A chart covers at most this part of the surface.
CHART = 1 / 30


def parametrise(vertices: Any, faces: Any) -> tuple[Any, Any, Any]:
    """What TRELLIS's `parametrize_mesh` gives: vertices (V, 3), faces (F, 3) and coordinates (V, 2)."""
    xatlas = importlib.import_module("xatlas")
    corners = vertices[faces]
    normals = numpy.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    options = xatlas.ChartOptions()
    options.max_chart_area = float(numpy.linalg.norm(normals, axis=1).sum() / 2 * CHART)
    atlas = xatlas.Atlas()
    atlas.add_mesh(vertices, faces)
    atlas.generate(chart_options=options)
    mapping, indices, uvs = atlas[0]
    return vertices[mapping], indices, uvs
