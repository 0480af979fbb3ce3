"""Draws the texture of a given mesh from a grid of voxels that hold its colours.

The mesh keeps its vertices, faces and normals. Its own texture coordinates are used where they can be: within
the texture, and no two faces in one place. Otherwise it is unwrapped as the meshes of `pbr.py` are, with
vertices in one place taken for one. Each texel takes what the voxels hold where it lies on the surface.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

from ..protocol import Stage
from ..stages import Stages
from .atlas import Atlas, clipped, unwrapped
from .pbr import AT_ONCE, Asked, finished, grown, normals, textured_mesh
from .raster import rasterise, shares
from .voxels import Voxels

torch: Any = importlib.import_module("torch")

# Charts, colours, filling.
STEPS = 3
# The mesh's own coordinates are not used where more of the texels have two faces, or more of the surface has
# no place in the texture.
OVERLAPPING, PLACELESS = 0.01, 0.01
UNWRAPPED = "the mesh got new texture coordinates: {why}"


@dataclass(frozen=True)
class Surface:
    """A mesh; all tensors on one device."""

    vertices: Any  # (V, 3) float32, as given, Y up
    faces: Any  # (F, 3) int64
    normals: Any  # (V, 3) float32, or None
    uvs: Any  # (V, 2) float32, V up, or None
    places: Any  # (V, 3) float32, of the vertices in the grid, which is from -0.5 to 0.5, Z up

    @staticmethod
    def of(given: Any, places: Any, device: Any) -> Surface:
        """Without faces that have no area because two of their corners are in one place."""
        vertices, faces = given.vertices.to(device), given.faces.to(device).long()
        first, second, third = vertices[faces].unbind(1)
        flat = (first == second).all(1) | (second == third).all(1) | (third == first).all(1)
        normals, uvs = (
            None if tensor is None else tensor.to(device) for tensor in (given.normals, given.uvs)
        )
        places = torch.as_tensor(places, device=device).float()
        return Surface(vertices, faces[~flat], normals, uvs, places)


@dataclass(frozen=True)
class Grid:
    """Voxels with numbers."""

    coords: Any  # (N, 3)
    numbers: Any  # (N, C)
    side: int


@dataclass(frozen=True)
class Painted:
    """A trimesh, Y up, and what a person should know of it."""

    mesh: Any
    notes: list[str]


def painted(surface: Surface, grid: Grid, layout: dict[str, slice], asked: Asked, stages: Stages) -> Painted:
    """The mesh with a texture; of `asked` its number of faces is of no matter."""
    size = asked.size
    with torch.no_grad():
        stages.enter(Stage.TEXTURE, STEPS)
        notes = []
        atlas, why = own_atlas(surface, size)
        if atlas is None:
            atlas = _unwrapped(surface, size, stages)
            if surface.uvs is not None:
                notes.append(UNWRAPPED.format(why=why))
        stages.step()
        colours = _colours(surface.places, atlas, grid)
        stages.step()
        texture, alpha = finished(layout, colours)
        facing = _facing(surface)
        upright = _z_up(surface.vertices), _z_up(facing)
        mesh = textured_mesh(layout, atlas, upright, texture, asked)
        mesh.visual.material.alphaMode = alpha
        return Painted(mesh, notes)


def own_atlas(surface: Surface, size: int) -> tuple[Atlas | None, str]:
    """The layout that the mesh came with, or why it cannot be used."""
    uvs, faces = surface.uvs, surface.faces
    if uvs is None:
        return None, "the mesh has none"
    # Writers round: what is outside by less than half a texel is at the edge.
    if not bool(((uvs - 0.5).abs() <= 0.5 + 0.5 / size).all()):
        return None, "its own lie outside the texture"
    uvs = uvs.clamp(0, 1)
    areas = _areas(surface.vertices, faces)
    along, across = uvs[faces[:, 1]] - uvs[faces[:, 0]], uvs[faces[:, 2]] - uvs[faces[:, 0]]
    placeless = (along[:, 0] * across[:, 1] - along[:, 1] * across[:, 0]) == 0
    if float(areas[placeless].sum()) > PLACELESS * float(areas.sum()):
        return None, "some of its faces have none"
    shown = rasterise(clipped(uvs), faces, size, size)[0]
    last = rasterise(clipped(uvs), faces.flip(0), size, size)[0]
    there = shown >= 0
    double = (shown[there] != len(faces) - 1 - last[there]).float().mean() if bool(there.any()) else 1.0
    if float(double) > OVERLAPPING:
        return None, "its own overlap"
    return Atlas(torch.arange(len(uvs), device=uvs.device), faces, uvs, shown), ""


def _unwrapped(surface: Surface, size: int, stages: Stages) -> Atlas:
    """A new layout. Vertices in one place are one, or each would be the end of a chart; those that differ in
    their normals are told apart again afterwards."""
    # Zero has two signs.
    welded, of_vertex = (surface.vertices + 0.0).unique(dim=0, return_inverse=True)
    # Of the size of the grid: areas of very small or large meshes are no numbers of this type.
    places = torch.empty_like(welded)
    places[of_vertex] = surface.places
    atlas = unwrapped(places, of_vertex[surface.faces], size, stages.check)
    count = len(surface.vertices)
    keys, corners = (atlas.faces * count + surface.faces).unique(return_inverse=True)
    return Atlas(keys % count, corners, atlas.uvs[keys // count], atlas.shown)


def _colours(places: Any, atlas: Atlas, grid: Grid) -> Any:
    """What each texel holds (C + 1, S, S), the last whether it is known."""
    origin = torch.full((3,), -0.5, device=places.device)
    voxels = Voxels.of(grid.coords, grid.numbers, origin, 1 / grid.side)
    size = len(atlas.shown)
    shown = grown(atlas.shown).view(-1)
    colours = torch.zeros(size * size, grid.numbers.shape[1] + 1, device=places.device)
    for pixel in (shown >= 0).nonzero()[:, 0].split(AT_ONCE):
        face = shown[pixel]
        share = shares(atlas.clip(), atlas.faces, face, pixel, (size, size)).here
        place = (share[..., None] * places[atlas.mapping[atlas.faces[face]]]).sum(1)
        numbers, weight = voxels.at(place)
        colours[pixel] = torch.cat([numbers, (weight > 0)[:, None]], 1)
    return colours.T.reshape(-1, size, size)


def _facing(surface: Surface) -> Any:
    """The mesh's normals; where it has none, those of the faces around, shared by vertices in one place."""
    given = surface.normals
    missing = None if given is None else (given == 0).all(1)
    if missing is not None and not bool(missing.any()):
        return given
    welded, of_vertex = (surface.vertices + 0.0).unique(dim=0, return_inverse=True)
    found = normals(welded, of_vertex[surface.faces])[of_vertex]
    return found if missing is None else torch.where(missing[:, None], found, given)


def _areas(vertices: Any, faces: Any) -> Any:
    first, second, third = vertices[faces].double().unbind(1)
    return torch.linalg.cross(second - first, third - first).norm(dim=1)


def _z_up(upright: Any) -> Any:
    """What `textured_mesh` turns to Y up again, to the bit."""
    return upright[:, [0, 2, 1]] * upright.new_tensor([1, -1, 1])
