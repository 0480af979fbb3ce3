"""The mesh of TRELLIS's decoder from the cubes that the surface goes through, without a grid of all others.

The decoder says something of a million cubes near the surface. TRELLIS spreads that over a grid of 256³,
keeps the grid on the GPU for as long as it runs, and has FlexiCubes look through all of it: most of a job's
memory. But FlexiCubes makes something only of cubes with corners on both sides of the surface, and asks for a
cube's place only to find its neighbours. So it gets those cubes alone, in the same order, and gives the same
mesh.

Names, and what is called when: Microsoft's TRELLIS, `trellis/representations/mesh/cube2mesh.py`; FlexiCubes.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

torch: Any = importlib.import_module("torch")

# Numbers of a corner that are averaged at once; each takes ten bytes for each corner of each cube.
AT_ONCE = 2
# The distance of a corner of which the decoder says nothing.
OUTSIDE = 1.0


class Surface:
    """Takes the place of a mesh decoder's `mesh_extractor`, whose grid is let go."""

    def __init__(self, extractor: Any) -> None:
        self._extractor = extractor
        self._module = importlib.import_module(type(extractor).__module__)
        # Whether TRELLIS's own code is asked for.
        self.whole = False
        extractor.reg_c = extractor.reg_v = None

    def __call__(self, cubefeats: Any, training: bool = False) -> Any:
        """A `MeshExtractResult` of one sample's features."""
        if self.whole:
            return self._from_whole_grid(cubefeats, training)
        extractor, flexicubes, module = self._extractor, self._extractor.mesh_extractor, self._module
        coords, feats = cubefeats.coords[:, 1:].long(), cubefeats.feats
        grid = Grid(extractor.res, module.cube_corners.to(coords.device).long())
        said = grid.key(coords)
        corners = _corners(extractor, grid.corners_of(said), feats, module.cubes_to_verts)
        cubes = grid.crossed(corners.keys[corners.values[:, 0] < 0])
        keys, index = grid.corners_of(cubes).unique(return_inverse=True)
        values = corners.at(keys)
        weights = Known.of(said, extractor.get_layout(feats, "weights")).at(cubes)
        # The library's own way to tell ambiguous cubes apart looks them up in the whole grid.
        flexicubes._get_case_id = Cases(grid, cubes, flexicubes.check_table)
        try:
            vertices, faces, _, colours = flexicubes(
                voxelgrid_vertices=module.get_defomed_verts(grid.place(keys), values[:, 1:4], grid.side),
                scalar_field=values[:, 0],
                cube_idx=index,
                resolution=grid.side,
                beta=weights[:, :12],
                alpha=weights[:, 12:20],
                gamma_f=weights[:, 20],
                voxelgrid_colors=values[:, 4:] if extractor.use_color else None,
            )
        finally:
            del flexicubes._get_case_id
        return module.MeshExtractResult(vertices=vertices, faces=faces, vertex_attrs=colours, res=grid.side)

    def _from_whole_grid(self, cubefeats: Any, training: bool) -> Any:
        """As TRELLIS does it, with the grid for as long as that takes."""
        extractor = self._extractor
        extractor.reg_v, extractor.reg_c = self._module.construct_dense_grid(extractor.res, extractor.device)
        try:
            return extractor(cubefeats, training)
        finally:
            extractor.reg_c = extractor.reg_v = None


@dataclass(frozen=True)
class Grid:
    """`side`³ cubes. A cube's or a corner's key numbers the corners of all, in the order of x, y, z."""

    side: int
    offsets: Any  # (8, 3) int64, of a cube's corners

    def key(self, places: Any) -> Any:
        """Of places (..., 3) int64."""
        row = self.side + 1
        return (places[..., 0] * row + places[..., 1]) * row + places[..., 2]

    def place(self, keys: Any) -> Any:
        """(N, 3) int64."""
        row = self.side + 1
        over = torch.div(keys, row, rounding_mode="floor")
        return torch.stack((torch.div(over, row, rounding_mode="floor"), over % row, keys % row), -1)

    def corners_of(self, cubes: Any) -> Any:
        """(N, 8) keys, which need not exist where a cube does not."""
        return cubes[:, None] + self.key(self.offsets)

    def crossed(self, inside: Any) -> Any:
        """The cubes (N), in order, that have some but not all of their corners among the keys `inside`."""
        places = self.place(inside)
        around = []
        for offset in self.offsets:
            at = places - offset
            exists = ((at >= 0) & (at < self.side)).all(1)
            around.append(self.key(at[exists]))
        cubes = torch.cat(around)
        del around, places
        cubes, counts = cubes.unique(return_counts=True)
        return cubes[counts < len(self.offsets)]


@dataclass(frozen=True)
class Known:
    """Numbers of some corners or cubes, and what holds for all others."""

    keys: Any  # (N), in order
    values: Any  # (N, M)
    other: Any  # (M)

    @staticmethod
    def of(keys: Any, values: Any) -> Known:
        """In any order; all others have zeros."""
        keys, order = keys.sort()
        return Known(keys, values[order], values.new_zeros(values.shape[1]))

    def at(self, keys: Any) -> Any:
        """(K, M)."""
        index = torch.searchsorted(self.keys, keys).clamp(max=len(self.keys) - 1)
        return torch.where((self.keys[index] == keys)[:, None], self.values[index], self.other)


def _corners(extractor: Any, corners_of: Any, feats: Any, averaged: Any) -> Known:
    """What the cubes say of their corners, averaged: a distance, a shift and, if there is one, a colour."""
    keys, index = corners_of.unique(return_inverse=True)
    columns = []
    for name in ("sdf", "deform", "color"):
        said = extractor.get_layout(feats, name)
        if said is not None:
            said = said + extractor.sdf_bias if name == "sdf" else said
            columns += [averaged(len(keys), index, some) for some in said.split(AT_ONCE, -1)]
    values = torch.cat(columns, 1)
    other = values.new_zeros(values.shape[1])
    other[0] = OUTSIDE
    return Known(keys, values, other)


@dataclass(frozen=True)
class Cases:
    """In place of FlexiCubes' `_get_case_id`: where two ambiguous cubes share their ambiguous face, both take
    their other case."""

    grid: Grid
    cubes: Any  # (N) keys, in order, of all that are asked about
    table: Any  # (256, 5): ambiguous or not, the neighbour's direction, the other case

    def __call__(self, inside: Any, _surface: Any, _side: int) -> Any:
        """(N) int64, from which corners are inside: (N, 8) bool."""
        powers = 2 ** torch.arange(inside.shape[1], device=inside.device)
        cases = (inside * powers).sum(1)
        said = self.table[cases]
        ambiguous = (said[:, 0] == 1).nonzero()[:, 0]
        said, cubes = said[ambiguous], self.cubes[ambiguous]
        beside = self.grid.place(cubes) + said[:, 1:4]
        exists = ((beside >= 0) & (beside < self.grid.side)).all(1)
        both = exists & torch.isin(self.grid.key(beside), cubes)
        cases[ambiguous[both]] = said[both, 4]
        return cases
