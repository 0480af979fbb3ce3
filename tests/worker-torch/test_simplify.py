"""Meshes with fewer faces beside VTK's: how far from the surface that they came from."""

from __future__ import annotations

import math
import unittest
from importlib.util import find_spec
from typing import Any

import numpy
from kit import worker_kit  # noqa: F401 puts the worker on the path

LEFT = 0.05
SAMPLES = 20_000


def torus(rings: int, sides: int) -> tuple[Any, Any]:
    """A bumpy one around the Z axis."""
    u, v = (numpy.arange(count) / count * 2 * math.pi for count in (rings, sides))
    u, v = numpy.meshgrid(u, v, indexing="ij")
    tube = 0.13 * (1 + 0.12 * numpy.sin(9 * u) * numpy.sin(5 * v))
    out = 0.3 + tube * numpy.cos(v)
    vertices = numpy.stack((out * numpy.cos(u), out * numpy.sin(u), tube * numpy.sin(v)), -1).reshape(-1, 3)
    a = numpy.arange(rings * sides).reshape(rings, sides)
    b = numpy.roll(a, -1, 0)
    c, d = numpy.roll(b, -1, 1), numpy.roll(a, -1, 1)
    faces = [numpy.stack(three, -1).reshape(-1, 3) for three in ((a, b, c), (a, c, d))]
    return vertices.astype(numpy.float32), numpy.concatenate(faces)


def noisy(count: int) -> tuple[Any, Any]:
    """A sphere of squares, six times `count`², whose height changes from vertex to vertex."""
    line = numpy.tan(numpy.linspace(-1, 1, count + 1) * math.pi / 4)
    y, x = numpy.meshgrid(line, line, indexing="ij")
    sides = []
    for axis in range(3):
        for sign in (1.0, -1.0):
            side = numpy.stack((numpy.ones_like(x), x * sign, y), -1).reshape(-1, 3) * sign
            sides.append(numpy.roll(side, axis, 1))
    places = numpy.concatenate(sides)
    places /= numpy.linalg.norm(places, axis=1, keepdims=True)
    places, index = numpy.unique(places.round(9), axis=0, return_inverse=True)
    a = numpy.arange((count + 1) ** 2).reshape(count + 1, count + 1)
    corners = a[:-1, :-1], a[:-1, 1:], a[1:, 1:], a[1:, :-1]
    halves = [[corners[k] for k in three] for three in ((0, 1, 2), (0, 2, 3))]
    one = numpy.concatenate([numpy.stack(three, -1).reshape(-1, 3) for three in halves])
    faces = index.ravel()[numpy.concatenate([one + side * (count + 1) ** 2 for side in range(6)])]
    bumps = numpy.random.default_rng(1).normal(0, 0.001, len(places))
    waves = 0.03 * numpy.sin(9 * places).prod(1)
    return (places * (0.4 + waves + bumps)[:, None]).astype(numpy.float32), faces


def drawn(vertices: Any, faces: Any) -> Any:
    """Points all over the surface."""
    random = numpy.random.default_rng(1)
    corners = vertices[faces].astype(float)
    along, across = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    areas = numpy.linalg.norm(numpy.cross(along, across), axis=1)
    which = random.choice(len(faces), SAMPLES, p=areas / areas.sum())
    share = random.random((SAMPLES, 2))
    share[share.sum(1) > 1] = 1 - share[share.sum(1) > 1]
    return corners[which, 0] + share[:, :1] * along[which] + share[:, 1:] * across[which]


def away(mesh: Any, other: Any) -> Any:
    """How far points of either surface are from the other surface."""
    import pyvista

    distances = []
    for points, (vertices, faces) in ((drawn(*mesh), other), (drawn(*other), mesh)):
        threes = numpy.concatenate([numpy.full((len(faces), 1), 3), faces], 1)
        _, nearest = pyvista.PolyData(vertices, threes).find_closest_cell(points, return_closest_point=True)
        distances.append(numpy.linalg.norm(points - nearest, axis=1))
    return numpy.concatenate(distances)


@unittest.skipUnless(find_spec("fast_simplification"), "fast_simplification is not installed")
class Simplified(unittest.TestCase):
    def simplified(self, mesh: Any, left: float = LEFT) -> tuple[Any, Any]:
        from trellis_worker.texture.simplify import simplify

        return simplify(*mesh, left)

    @unittest.skipUnless(find_spec("pyvista"), "pyvista is not installed")
    def test_is_nearer_to_the_surface_than_what_vtk_makes(self) -> None:
        import pyvista

        for name, mesh in (("torus", torus(240, 135)), ("noisy sphere", noisy(70))):
            threes = numpy.concatenate([numpy.full((len(mesh[1]), 1), 3), mesh[1]], 1)
            theirs = pyvista.PolyData(mesh[0], threes).decimate(1 - LEFT)
            other = numpy.asarray(theirs.points), theirs.faces.reshape(-1, 4)[:, 1:]
            mine = self.simplified(mesh)
            with self.subTest(name):
                self.assertLessEqual(len(mine[1]), len(mesh[1]) * LEFT)
                self.assertGreater(len(mine[1]), len(mesh[1]) * LEFT * 0.98)
                ours, vtk = away(mesh, mine), away(mesh, other)
                self.assertLess(ours.mean(), vtk.mean())
                self.assertLess((ours**2).mean(), (vtk**2).mean())

    def test_a_closed_mesh_stays_closed_and_each_time_the_same(self) -> None:
        vertices, faces = self.simplified(torus(160, 90))
        ends = numpy.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
        _, counts = numpy.unique(ends, axis=0, return_counts=True)
        self.assertTrue((counts == 2).all())
        again = self.simplified(torus(160, 90))
        self.assertTrue(numpy.array_equal(vertices, again[0]) and numpy.array_equal(faces, again[1]))

    def test_what_cannot_be_simplified_further_is_left(self) -> None:
        corners = numpy.eye(4, 3, dtype=numpy.float32)
        faces = numpy.array([[0, 1, 2], [0, 3, 1], [1, 3, 2], [0, 2, 3]])
        _, left = self.simplified((corners, faces), 0.1)
        self.assertGreater(len(left), 0)

    def test_the_rest_of_the_work_is_left_to_trellis(self) -> None:
        from trellis_worker.texture.simplify import simplifying

        seen: list[Any] = []

        def postprocess(_vertices: Any, faces: Any, **asked: Any) -> tuple[Any, Any]:
            seen.append((len(faces), asked))
            return _vertices, faces

        call = simplifying(postprocess)
        mesh = torus(40, 30)
        call(*mesh, simplify=True, simplify_ratio=0.5, fill_holes=True)
        call(*mesh, simplify=False, simplify_ratio=0.0, fill_holes=True)
        self.assertEqual([count for count, _ in seen], [1200, 2400])
        self.assertEqual([asked["simplify"] for _, asked in seen], [False, False])
        self.assertTrue(all(asked["fill_holes"] for _, asked in seen))


if __name__ == "__main__":
    unittest.main()
