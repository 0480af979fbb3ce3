"""The mesh from the cubes at the surface alone, against one from the whole grid: number by number."""

from __future__ import annotations

import os
import sys
import unittest
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import torch
from kit import ROOT
from trellis_worker.surface import Cases, Grid, Surface

SOURCES = [os.environ.get(name) for name in ("TRELLIS_SOURCE", "FLEXICUBES_SOURCE")]
CORNERS = torch.tensor([[x, y, z] for z in (0, 1) for y in (0, 1) for x in (0, 1)])


def said(side: int, channels: int, noise: float) -> Any:
    """What a decoder says of most cubes near a sphere that touches the grid's sides."""
    torch.manual_seed(side)
    line = torch.arange(side)
    cubes = torch.stack(torch.meshgrid(line, line, line, indexing="ij"), -1).reshape(-1, 3)
    away = ((cubes + 0.5) / side - 0.5).norm(dim=1) - 0.5
    cubes = cubes[away.abs() < 2 / side]
    cubes = cubes[torch.randperm(len(cubes))[: int(len(cubes) * 0.97)]]
    feats = torch.randn(len(cubes), channels)
    places = (cubes[:, None] + CORNERS) / side - 0.5
    feats[:, :8] = places.norm(dim=-1) - 0.5 + torch.randn(len(cubes), 8) * noise / side
    return SimpleNamespace(coords=torch.cat([torch.zeros(len(cubes), 1), cubes], 1).int(), feats=feats)


class Cubes(unittest.TestCase):
    def setUp(self) -> None:
        self.grid = Grid(5, CORNERS)

    def test_a_key_leads_back_to_its_place(self) -> None:
        places = torch.cartesian_prod(*[torch.arange(6)] * 3)
        keys = self.grid.key(places)
        self.assertTrue(torch.equal(keys, torch.arange(216)))
        self.assertTrue(torch.equal(self.grid.place(keys), places))

    def test_crossed_are_all_cubes_with_corners_on_both_sides(self) -> None:
        torch.manual_seed(1)
        inside = torch.rand(6, 6, 6) < 0.5
        inside[:2, :2, :2] = True
        around = torch.stack([inside[x : x + 5, y : y + 5, z : z + 5] for x, y, z in CORNERS.tolist()]).sum(0)
        expected = self.grid.key(((around > 0) & (around < 8)).nonzero())
        self.assertTrue(torch.equal(self.grid.crossed(inside.flatten().nonzero()[:, 0]), expected))
        self.assertEqual(len(self.grid.crossed(torch.tensor([], dtype=torch.int64))), 0)

    def test_two_ambiguous_cubes_that_share_their_face_take_their_other_cases(self) -> None:
        # Case 1 looks to the right, case 2 to the left, and case 4 ahead.
        table = torch.zeros(256, 5, dtype=torch.int64)
        table[1] = torch.tensor([1, 1, 0, 0, 101])
        table[2] = torch.tensor([1, -1, 0, 0, 102])
        table[4] = torch.tensor([1, 0, 1, 0, 104])
        places = torch.tensor([[0, 0, 0], [0, 2, 2], [1, 2, 2], [2, 2, 2], [4, 4, 4]])
        inside = torch.zeros(5, 8, dtype=torch.bool)
        for row, corner in enumerate((1, 0, 1, 2, 0)):
            inside[row, corner] = True
        cases = Cases(self.grid, self.grid.key(places), table)(inside, None, None)
        self.assertEqual(cases.tolist(), [2, 101, 102, 4, 1])


@unittest.skipUnless(all(SOURCES), "TRELLIS_SOURCE and FLEXICUBES_SOURCE name no checkouts")
class Meshes(unittest.TestCase):
    """TRELLIS's own extractor, on the CPU."""

    def setUp(self) -> None:
        import subprocess
        import tempfile

        folder = tempfile.TemporaryDirectory(prefix="trellis-surface-")
        self.addCleanup(folder.cleanup)
        tiny = ROOT / "tests" / "tiny_trellis"
        subprocess.run([tiny / "source.sh", *map(str, SOURCES), folder.name, "cpu"], check=True)
        path, modules = list(sys.path), dict(sys.modules)
        self.addCleanup(lambda: (sys.modules.clear(), sys.modules.update(modules)))
        self.addCleanup(lambda: sys.path.__setitem__(slice(None), path))
        sys.path.insert(0, str(tiny / "stand_ins"))
        # Its packages, without what they import besides.
        for name in ("", ".modules", ".modules.sparse", ".representations"):
            module = ModuleType(f"trellis{name}")
            module.__path__ = [str(Path(folder.name, "trellis", *name.split(".")[1:]))]
            sys.modules[module.__name__] = module
        sys.modules["trellis.modules.sparse"].SparseTensor = object  # type: ignore[attr-defined]

    def test_is_that_of_the_whole_grid(self) -> None:
        from trellis.representations.mesh.cube2mesh import SparseFeatures2Mesh

        for side, noise, colour in ((16, 3.0, True), (24, 0.3, True), (24, 5.0, False)):
            extractor = SparseFeatures2Mesh(device="cpu", res=side, use_color=colour)
            features = said(side, extractor.feats_channels, noise)
            again, last = (
                SimpleNamespace(coords=features.coords, feats=features.feats.clone()) for _ in range(2)
            )
            theirs = extractor(features)
            surface = Surface(extractor)
            ours = surface(again)
            surface.whole = True
            self.assertTrue(torch.equal(surface(last).vertices, theirs.vertices))
            with self.subTest((side, noise, colour)):
                self.assertGreater(len(theirs.faces), 1000)
                self.assertTrue(torch.equal(ours.vertices, theirs.vertices))
                self.assertTrue(torch.equal(ours.faces, theirs.faces))
                self.assertEqual(ours.vertex_attrs is None, not colour)
                self.assertTrue(not colour or torch.equal(ours.vertex_attrs, theirs.vertex_attrs))
                self.assertEqual((ours.res, ours.success), (theirs.res, True))
                self.assertIsNone(extractor.reg_c)

    def test_where_nothing_is_inside_there_is_no_mesh(self) -> None:
        from trellis.representations.mesh.cube2mesh import SparseFeatures2Mesh

        extractor = SparseFeatures2Mesh(device="cpu", res=16)
        features = said(16, extractor.feats_channels, 0.0)
        features.feats[:, :8] = 1
        self.assertFalse(Surface(extractor)(features).success)


if __name__ == "__main__":
    unittest.main()
