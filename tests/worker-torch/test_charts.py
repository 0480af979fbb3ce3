"""Charts of a mesh, how they lie in a texture, and that none lies over itself or another."""

from __future__ import annotations

import math
import os
import unittest
from importlib.util import find_spec
from typing import Any
from unittest import mock

import torch
from test_simplify import noisy, torus
from trellis_worker.failures import Cancelled, WorkerError
from trellis_worker.protocol import Kind
from trellis_worker.texture import atlas, charts, pack
from trellis_worker.texture.raster import rasterise

SIZE = 256


def mesh_of(vertices: Any, faces: Any) -> charts.Mesh:
    return charts.Mesh.of(torch.as_tensor(vertices), torch.as_tensor(faces))


def spiral(turns: float, steps: int) -> tuple[Any, Any]:
    """A ramp that winds upwards: seen from above, it lies over itself."""
    angle = torch.linspace(0, turns * 2 * math.pi, steps)
    sides = [torch.stack((out * angle.cos(), out * angle.sin(), angle * 0.01), 1) for out in (0.2, 0.4)]
    a = torch.arange(steps - 1)
    faces = [torch.stack(three, 1) for three in ((a, a + steps, a + steps + 1), (a, a + steps + 1, a + 1))]
    return torch.cat(sides), torch.cat(faces)


def seams(mesh: charts.Mesh, chart: Any) -> float:
    """How long all borders between charts are."""
    return float(mesh.lengths[chart[mesh.pairs[:, 0]] != chart[mesh.pairs[:, 1]]].sum())


def seams_by_xatlas(vertices: Any, faces: Any) -> float:
    from trellis_worker.texture import unwrap

    mapping, indices, _ = unwrap.mapped(vertices, faces)
    ends = torch.from_numpy(indices.astype("int64"))[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2).sort(1).values
    edges, counts = ends.unique(dim=0, return_counts=True)
    at = torch.from_numpy(vertices[mapping])[edges[counts == 1]]
    return float((at[:, 0] - at[:, 1]).norm(dim=1).sum() / 2)


class Neighbours(unittest.TestCase):
    def test_only_edges_of_two_faces_join(self) -> None:
        corners = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0, -1, 0], [2, 2, 0]])
        # Three at one edge, and one more at an edge of the first.
        mesh = mesh_of(corners, torch.tensor([[0, 1, 2], [0, 1, 3], [1, 0, 4], [2, 1, 5]]))
        self.assertEqual([sorted(pair) for pair in mesh.pairs.tolist()], [[0, 3]])
        self.assertAlmostEqual(float(mesh.lengths[0]), 2**0.5, places=5)

    def test_components_are_numbered_by_their_first_faces(self) -> None:
        vertices, faces = torus(12, 8)
        two = torch.cat([torch.as_tensor(faces), torch.as_tensor(faces) + len(vertices)])
        mesh = mesh_of(torch.cat([torch.as_tensor(vertices)] * 2), two)
        index, count = charts.components(mesh, torch.zeros(len(two), dtype=torch.int64))
        self.assertEqual(count, 2)
        self.assertEqual(index.tolist(), [0] * len(faces) + [1] * len(faces))


class Cut(unittest.TestCase):
    def test_no_face_turns_away_from_its_chart_and_seams_are_short(self) -> None:
        for name, (vertices, faces), longest in (("torus", torus(80, 45), 1.3), ("noisy", noisy(20), 1.0)):
            mesh = mesh_of(vertices, faces)
            chart = charts.cut(mesh)
            laid = charts.laid_out(mesh, chart, int(chart.max()) + 1)
            with self.subTest(name):
                self.assertTrue(bool((laid.areas() > 0).all()))
                self.assertGreater(float(laid.areas().sum() / mesh.areas.sum()), 0.85)
                self.assertLess(laid.count, 100)
                if find_spec("xatlas"):
                    self.assertLess(seams(mesh, chart) / seams_by_xatlas(vertices, faces), longest)

    def test_a_chart_is_seen_from_where_no_face_turns_away(self) -> None:
        # A floor, and a small wall that leans over it a little.
        corners = torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0.02, 0, 0.2], [0.02, 1, 0.2]])
        faces = torch.tensor([[0, 1, 2], [0, 2, 3], [0, 3, 5], [0, 5, 4]])
        mesh = mesh_of(corners, faces)
        self.assertLess(float(mesh.normals[2, 2]), 0, "it does not show from above")
        laid = charts.laid_out(mesh, torch.zeros(4, dtype=torch.int64), 1)
        self.assertTrue(bool((laid.areas() > 0).all()), laid.areas())

    def test_each_time_the_same(self) -> None:
        mesh = mesh_of(*noisy(10))
        self.assertTrue(torch.equal(charts.cut(mesh), charts.cut(mesh)))


class Packed(unittest.TestCase):
    def test_charts_fill_the_texture_and_keep_apart(self) -> None:
        mesh = mesh_of(*torus(60, 34))
        chart = charts.cut(mesh)
        laid = charts.laid_out(mesh, chart, int(chart.max()) + 1)
        packed = pack.pack(laid, SIZE)
        places = laid.flat * packed.scale + packed.place[chart][:, None]
        self.assertGreaterEqual(float(places.min()), 1)
        self.assertLessEqual(float(places.max()), SIZE - 1)
        owner = torch.full((SIZE, SIZE), -1)
        for index in range(laid.count):
            mine = places[chart == index].reshape(-1, 2)
            clip = torch.nn.functional.pad(mine / SIZE * 2 - 1, (0, 2))
            clip[:, 3] = 1
            shown = rasterise(clip[None], torch.arange(len(mine)).view(-1, 3), SIZE, SIZE)[0] >= 0
            around = torch.nn.functional.max_pool2d(shown[None].float(), 3, 1, 1)[0] > 0
            others = (owner >= 0) & (owner != index)
            self.assertFalse(bool((around & others).any()), "a texel stays free between two charts")
            owner[shown] = index
        self.assertGreater(float((owner >= 0).double().mean()), 0.4)

    def test_many_specks_and_a_long_strip_find_room(self) -> None:
        line = torch.arange(200) * 0.01
        corners = torch.stack((line, line * 0, line * 0), 1)[:, None] + torch.tensor(
            [[0, 0, 0], [0.005, 0, 0], [0, 0.005, 0]]
        )
        strip = torch.tensor([[0.0, 1, 0], [5, 1, 0], [0, 1.01, 0]])
        mesh = mesh_of(torch.cat([corners.reshape(-1, 3), strip]), torch.arange(603).view(-1, 3))
        chart = charts.cut(mesh)
        laid = charts.laid_out(mesh, chart, int(chart.max()) + 1)
        self.assertEqual(laid.count, 201)
        packed = pack.pack(laid, 64)
        self.assertLessEqual(float((laid.flat * packed.scale + packed.place[chart][:, None]).max()), 64)
        self.assertGreater(packed.scale, 1)

    def specks(self, count: int) -> Any:
        """So many right triangles of several sizes, none of which touches another."""
        generator = torch.Generator().manual_seed(3)
        corners = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]) * 0.01
        sizes = 0.5 + torch.rand(count, 1, 1, generator=generator)
        places = torch.rand(count, 1, 3, generator=generator)
        mesh = mesh_of((corners * sizes + places).reshape(-1, 3), torch.arange(3 * count).view(-1, 3))
        return charts.laid_out(mesh, torch.arange(count), count)

    def test_the_smallest_of_many_lie_in_rows_and_keep_apart(self) -> None:
        laid = self.specks(400)
        alone = pack.pack(laid, SIZE)
        with mock.patch.object(pack, "BY_OUTLINE", 50):
            packed = pack.pack(laid, SIZE)
        self.assertGreater(packed.scale, 0.6 * alone.scale)
        corners = laid.flat * packed.scale + packed.place[laid.of_face][:, None]
        low, high = corners.amin(1), corners.amax(1)
        self.assertGreaterEqual(float(low.min()), pack.MARGINS[0])
        self.assertLessEqual(float(high.max()), SIZE - pack.MARGINS[0])
        # Those in rows have boxes of their own.
        small = laid.extent[:, 1].argsort(descending=True, stable=True)[50:]
        low, high = low[small], high[small]
        apart = ((low[:, None] - high[None]) > 2).any(2) | ((low[None] - high[:, None]) > 2).any(2)
        self.assertTrue(bool((apart | torch.eye(len(small)).bool()).all()))

    def test_more_charts_than_texels_are_refused_at_once(self) -> None:
        laid = self.specks(64 * 64 + 1)
        with mock.patch.object(pack, "_placed", side_effect=AssertionError("nothing is tried")):
            with self.assertRaises(WorkerError) as raised:
                pack.pack(laid, 64)
        self.assertEqual(raised.exception.kind, Kind.BAD_INPUT)
        self.assertIn("ask for a larger `texture_size`", str(raised.exception))
        with mock.patch.object(pack, "LARGEST", 64), self.assertRaises(WorkerError) as raised:
            pack.pack(laid, 64)
        self.assertIn("that is the largest `texture_size`", str(raised.exception))

    def test_a_cancel_is_heard_while_charts_find_their_places(self) -> None:
        def check() -> None:
            raise Cancelled

        with self.assertRaises(Cancelled):
            pack.pack(self.specks(10), SIZE, check)


class Unwrapped(unittest.TestCase):
    def test_a_chart_over_itself_is_cut(self) -> None:
        vertices, faces = spiral(3.2, 160)
        mesh = mesh_of(vertices, faces)
        self.assertEqual(charts.components(mesh, torch.zeros(len(faces), dtype=torch.int64))[1], 1)
        made = atlas.unwrapped(vertices, faces, SIZE, lambda: None)
        last = rasterise(made.clip(), made.faces.flip(0), SIZE, SIZE)[0]
        twice = (made.shown >= 0) & (made.shown != len(faces) - 1 - last)
        self.assertLess(int(twice.sum()), 40)
        self.assertEqual(
            int((torch.bincount(made.shown[made.shown >= 0], minlength=len(faces)) == 0).sum()), 0
        )

    def test_it_is_the_same_mesh(self) -> None:
        vertices, faces = (torch.as_tensor(part) for part in noisy(8))
        for charts_are in ("on", "off") if find_spec("xatlas") else ("on",):
            with mock.patch.dict(os.environ, {atlas.VARIABLE: charts_are}), self.subTest(charts_are):
                made = atlas.unwrapped(vertices, faces, SIZE, lambda: None)
                self.assertTrue(torch.equal(made.mapping[made.faces].sort(1).values, faces.sort(1).values))
                self.assertTrue(bool(((made.uvs >= 0) & (made.uvs <= 1)).all()))


if __name__ == "__main__":
    unittest.main()
