"""Files of plain meshes, the same for every family."""

from __future__ import annotations

import importlib
from typing import Any

from .family import Save


def plain_mesh(vertices: Any, faces: Any, colours: Any, file_type: str) -> Save:
    """What writes a mesh; `colours` are those of its vertices, 0 to 1, or `None`."""
    trimesh = importlib.import_module("trimesh")
    if colours is not None:
        colours = (colours.clip(0, 1) * 255).astype("uint8")
    mesh = trimesh.Trimesh(vertices, faces, vertex_colors=colours, process=False)
    return lambda path: mesh.export(str(path), file_type=file_type)


def in_millimetres(vertices: Any, size: float) -> Any:
    """The vertices for an STL: Z up as TRELLIS has them, the longest side `size` millimetres."""
    columns = [vertices[:, axis] for axis in range(3)]
    longest = max(float(column.max()) - float(column.min()) for column in columns)
    return vertices * (size / longest) if longest > 0 else vertices
