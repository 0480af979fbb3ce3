"""Unwraps a mesh: cut into charts, laid side by side, and cut again where a chart lies over itself."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..cores import kept_to_cores
from . import charts, unwrap
from .pack import Packed, pack
from .raster import rasterise

torch: Any = importlib.import_module("torch")

# `on`, or `off` for xatlas.
VARIABLE = "TRELLIS_WORKER_CHARTS"
# A chart is cut in two where more of its texels have two faces; how often at most.
OVERLAPPING, CUTS = 0.002, 6


@dataclass(frozen=True)
class Atlas:
    """A mesh with places in a texture."""

    mapping: Any  # (N) int64, which vertex of the mesh each is
    faces: Any  # (F, 3) int64, of these
    uvs: Any  # (N, 2) float32 from 0 to 1, V up
    shown: Any  # (S, S) int64, the face of each texel or -1, the first row at the bottom

    def clip(self) -> Any:
        """Where vertices are drawn in the texture: (1, N, 4)."""
        return clipped(self.uvs)


def unwrapped(vertices: Any, faces: Any, size: int, check: Callable[[], None]) -> Atlas:
    """For a texture of `size`; `check` is called between steps."""
    if os.environ.get(VARIABLE, "on") != "on":
        return _by_xatlas(vertices, faces, size)
    mesh = charts.Mesh.of(vertices, faces)
    chart = charts.cut(mesh)
    count = int(chart.max()) + 1
    for cuts in range(CUTS + 1):
        check()
        laid = charts.laid_out(mesh, chart, count)
        atlas = _joined(mesh, laid, pack(laid, size, check), size)
        double = _doubled(atlas, chart, count)
        if cuts == CUTS or not bool(double.any()):
            break
        chart, count = charts.halved(mesh, chart, count, double)
    return atlas


def _joined(mesh: charts.Mesh, laid: charts.Charts, packed: Packed, size: int) -> Atlas:
    """A vertex for each chart that one is in."""
    uvs = (laid.flat * packed.scale + packed.place[laid.of_face][:, None]) / size
    key = laid.of_face[:, None] * len(mesh.vertices) + mesh.faces
    keys, corner = key.unique(return_inverse=True)
    places = torch.zeros(len(keys), 2, device=uvs.device)
    places[corner.view(-1)] = uvs.view(-1, 2)
    shown = rasterise(clipped(places), corner, size, size)[0]
    return Atlas(keys % len(mesh.vertices), corner, places, shown)


def _doubled(atlas: Atlas, chart: Any, count: int) -> Any:
    """Which charts lie over themselves: the last face of a texel is not the first."""
    size = len(atlas.shown)
    last = rasterise(atlas.clip(), atlas.faces.flip(0), size, size)[0]
    there = atlas.shown >= 0
    shown, last = atlas.shown[there], len(atlas.faces) - 1 - last[there]
    texels = chart[shown].bincount(minlength=count)
    twice = chart[shown[shown != last]].bincount(minlength=count)
    faces = chart.bincount(minlength=count)
    return (twice > OVERLAPPING * texels + 2) & (faces > 1)


def _by_xatlas(vertices: Any, faces: Any, size: int) -> Atlas:
    with kept_to_cores():
        mapping, indices, uvs = unwrap.mapped(vertices.cpu().numpy(), faces.cpu().numpy())
    mapping, indices = (
        torch.as_tensor(part.astype("int64"), device=vertices.device) for part in (mapping, indices)
    )
    uvs = torch.as_tensor(uvs, dtype=torch.float32, device=vertices.device)
    return Atlas(mapping, indices, uvs, rasterise(clipped(uvs), indices, size, size)[0])


def clipped(uvs: Any) -> Any:
    """Where places in a texture (N, 2) are drawn in it: (1, N, 4)."""
    flat = torch.zeros(1, len(uvs), 4, device=uvs.device)
    flat[0, :, :2] = uvs * 2 - 1
    flat[..., 3] = 1
    return flat
