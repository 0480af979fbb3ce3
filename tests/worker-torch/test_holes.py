"""What is taken off a mesh because no camera sees it, and how it is unwrapped."""

from __future__ import annotations

import math
import unittest
from importlib.util import find_spec
from typing import Any

import numpy
import torch
from kit import worker_kit  # noqa: F401 puts the worker on the path
from trellis_worker.texture import holes

RINGS, SIDES = 16, 24


def spread(count: int) -> list[list[float]]:
    """Yaws and pitches all around."""
    return [[k * math.pi * (3 - 5**0.5), math.asin(1 - (2 * k + 1) / count)] for k in range(count)]


def globe(radius: float, mouth: int = 0, turned: bool = False) -> tuple[Any, Any]:
    """A sphere of rings around the Z axis; the first `mouth` rings from the top are left out."""
    polar = numpy.linspace(0.05, math.pi - 0.05, RINGS + 1)[mouth:]
    around = numpy.arange(SIDES) / SIDES * 2 * math.pi
    p, a = numpy.meshgrid(polar, around, indexing="ij")
    vertices = radius * numpy.stack(
        (numpy.sin(p) * numpy.cos(a), numpy.sin(p) * numpy.sin(a), numpy.cos(p)), -1
    )
    index = numpy.arange(vertices.shape[0] * SIDES).reshape(-1, SIDES)
    corner, down = index[:-1], index[1:]
    right, across = numpy.roll(corner, -1, 1), numpy.roll(down, -1, 1)
    faces = numpy.concatenate(
        [numpy.stack(three, -1).reshape(-1, 3) for three in ((corner, down, across), (corner, across, right))]
    )
    caps = [index[-1]] if mouth else [index[0][::-1], index[-1]]
    fans = [numpy.stack((ring[:-2] * 0 + ring[0], ring[2:], ring[1:-1]), -1) for ring in caps]
    faces = numpy.concatenate([faces, *fans])
    return vertices.reshape(-1, 3), faces[:, ::-1] if turned else faces


def together(*meshes: tuple[Any, Any]) -> tuple[Any, Any]:
    count, vertices, faces = 0, [], []
    for own, index in meshes:
        vertices.append(own)
        faces.append(index + count)
        count += len(own)
    return torch.tensor(numpy.concatenate(vertices)).float(), torch.tensor(numpy.concatenate(faces)).int()


@unittest.skipUnless(find_spec("igraph") and find_spec("pymeshfix"), "igraph and pymeshfix are not installed")
class Holes(unittest.TestCase):
    def filled(self, mesh: tuple[Any, Any], largest: float = 0.04) -> tuple[Any, Any]:
        fill = holes.fill_holes(spread)
        return fill(*mesh, max_hole_size=largest, max_hole_nbe=30, resolution=192, num_views=60)

    def test_a_mesh_of_which_everything_is_seen_stays_as_it_is(self) -> None:
        mesh = together(globe(0.4))
        vertices, faces = self.filled(mesh)
        self.assertIs(vertices, mesh[0])
        self.assertIs(faces, mesh[1])

    def test_what_is_within_another_goes(self) -> None:
        outer = globe(0.4)
        vertices, faces = self.filled(together(outer, globe(0.2)))
        self.assertEqual(len(faces), len(outer[1]))
        self.assertGreater(float(vertices.norm(dim=1).min()), 0.35)

    def test_an_inside_that_is_reached_by_a_small_mouth_goes_and_the_mouth_is_closed(self) -> None:
        # Both without their tops, and the rims joined.
        outer, inner = globe(0.4, mouth=1), globe(0.36, mouth=1, turned=True)
        vertices, faces = together(outer, inner)
        rim = torch.arange(SIDES)
        below = rim + len(outer[0])
        neck = torch.cat(
            [
                torch.stack((rim, rim.roll(-1), below), 1),
                torch.stack((rim.roll(-1), below.roll(-1), below), 1),
            ]
        ).int()
        mesh = vertices, torch.cat([faces, neck])
        for largest, thinnest in ((0.04, 0.39), (1e-4, 0.35)):
            left, closed = self.filled(mesh, largest)
            self.assertAlmostEqual(float(left[left[:, 2] < 0.2].norm(dim=1).min()), thinnest, delta=0.011)
            edges = holes.Mesh.of(left.numpy(), closed.numpy())
            self.assertFalse(edges.boundary.any())

    def test_visibility_is_a_part_of_the_views(self) -> None:
        mesh = together(globe(0.4))
        seen = holes.seen_in(*mesh, spread(60), 192)
        self.assertTrue(0 < float(seen.min()) < float(seen.mean()) < float(seen.max()) < 0.6, seen)
        self.assertAlmostEqual(float(seen.median()), 0.4, delta=0.1)


@unittest.skipUnless(find_spec("xatlas"), "xatlas is not installed")
class Unwrapping(unittest.TestCase):
    def test_every_face_has_a_place_of_its_own(self) -> None:
        from trellis_worker.texture.raster import rasterise
        from trellis_worker.texture.unwrap import parametrise

        vertices, faces = globe(0.4)
        vertices = vertices.astype(numpy.float32)
        places, indices, uvs = parametrise(vertices, faces.astype(numpy.uint32))
        self.assertTrue(numpy.array_equal(places[indices], vertices[faces]))
        self.assertGreaterEqual(uvs.min(), 0)
        self.assertLessEqual(uvs.max(), 1)
        flat = torch.nn.functional.pad(torch.tensor(uvs) * 2 - 1, (0, 2))
        flat[:, 3] = 1
        drawn = rasterise(flat[None], torch.tensor(indices.astype("int64")), 256, 256) >= 0
        alone = rasterise(flat[indices.astype("int64")], torch.arange(3)[None], 256, 256) >= 0
        self.assertTrue(torch.equal(alone.sum(0)[None], drawn.long()))


if __name__ == "__main__":
    unittest.main()
