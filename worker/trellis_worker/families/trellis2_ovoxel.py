"""O-Voxel, TRELLIS.2's own voxel file `.vxz`: what its decoders made of each voxel at the surface.

Names and packing: `o_voxel/io/vxz.py`, `o_voxel/README.md` and `trellis2/models/sc_vaes/fdg_vae.py` of
Microsoft's TRELLIS.2, whose `read_vxz` reads the file back and whose `flexible_dual_grid_to_mesh` turns it
into a mesh. The format does not hold the size of the grid.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ..checkpoints import replaced
from ..cores import count
from ..failures import WorkerError
from ..family import Save
from ..protocol import Kind

MATERIALS = ("base_color", "metallic", "roughness", "alpha")
# The one that the server can decompress to check the file. 7 % larger than LZMA, the writer's default, in
# less than half the time (docs/performance.md).
COMPRESSION, LEVEL = "deflate", 6


@dataclass(frozen=True)
class DualGrid:
    """The surface: for each of N voxels a vertex, and which of three edges it crosses."""

    coords: Any  # (N, 3) int32
    vertices: Any  # (N, 3) uint8: the place within the voxel, 0 to 255
    intersected: Any  # (N, 1) uint8: a bit for each of x, y and z


@contextmanager
def taking_grids(decoder: Any) -> Iterator[list[DualGrid]]:
    """Collects the grids that the shape decoder turns into meshes while it is open."""
    module = importlib.import_module(type(decoder).__module__)
    original = module.flexible_dual_grid_to_mesh
    taken: list[DualGrid] = []

    def to_mesh(coords: Any, vertices: Any, intersected: Any, *more: Any, **options: Any) -> Any:
        crossed = intersected.byte()
        bits = crossed[:, 0:1] + crossed[:, 1:2] * 2 + crossed[:, 2:3] * 4
        taken.append(DualGrid(coords, in_bytes(vertices), bits))
        return original(coords, vertices, intersected, *more, **options)

    with replaced(module, "flexible_dual_grid_to_mesh", to_mesh):
        yield taken


def saving(grid: DualGrid, mesh: Any) -> Save:
    """What writes a grid with the materials of its voxels, which a `MeshWithVoxel` holds."""
    if not importlib.import_module("torch").equal(grid.coords, mesh.coords):
        raise WorkerError(Kind.INTERNAL, "the decoders of shape and texture made different voxels")
    attributes = {name: in_bytes(mesh.attrs[:, mesh.layout[name]]).cpu() for name in MATERIALS}
    attributes["dual_vertices"] = grid.vertices.cpu()
    attributes["intersected"] = grid.intersected.cpu()
    coords = grid.coords.int().cpu()
    write = importlib.import_module("o_voxel.io").write_vxz
    return lambda path: write(
        str(path),
        coords,
        attributes,
        compression=COMPRESSION,
        compression_level=LEVEL,
        # By default, a thread for each core of the machine.
        num_threads=count(),
    )


def in_bytes(numbers: Any) -> Any:
    """Numbers from 0 to 1 as bytes; others are clamped."""
    return (numbers.float().clamp(0, 1) * 255).round().byte()
