"""What is nearest on a mesh's surface: the tree in torch and its kernel against a look at every face."""

from __future__ import annotations

import os
import tempfile
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

import compiled
import painted
import torch
from trellis_worker.texture import kernel, nearest
from trellis_worker.texture.nearest import SOURCE, Nearest, Tree


def soup(count: int) -> tuple[Any, Any]:
    """Triangles of all sizes, some without an area, some twice."""
    generator = torch.Generator().manual_seed(5)
    size = 10 ** (torch.rand(count, 1, 1, generator=generator) * 3 - 3)
    corners = (
        torch.rand(count, 1, 3, generator=generator)
        + (torch.rand(count, 3, 3, generator=generator) - 0.5) * size
    )
    corners[:10, 2] = corners[:10, 1]
    corners[10:15] = corners[10:15, :1]
    corners[20:25] = corners[30:35]
    return corners.reshape(-1, 3), torch.arange(3 * count).view(count, 3)


def sampled(points: Any, vertices: Any, faces: Any) -> Any:
    """Distances to the nearest of all faces, each asked in double precision on a fine raster of shares."""
    corners = vertices[faces].double()
    step = torch.linspace(0, 1, 41, dtype=torch.float64)
    u, v = torch.meshgrid(step, step, indexing="ij")
    share = torch.stack((u, v, 1 - u - v), -1).reshape(-1, 3)
    share = share[share[:, 2] >= -1e-9]
    places = (share @ corners).reshape(-1, 3)
    return torch.cdist(points.double(), places).amin(1)


def places(found: Nearest, vertices: Any, faces: Any) -> Any:
    return (vertices[faces[found.face]] * found.shares[..., None]).sum(1)


class InTorch(unittest.TestCase):
    def test_is_what_a_look_at_every_face_finds(self) -> None:
        vertices, faces = soup(150)
        points = torch.rand(200, 3, generator=torch.Generator().manual_seed(6)) * 3 - 1
        found = Tree.of(vertices, faces).nearest(points)
        truth = sampled(points, vertices, faces)
        # The raster is never nearer than the nearest place, and misses it by less than its own steps.
        self.assertTrue(bool((found.distance <= truth + 1e-5).all()))
        self.assertLess(float((truth - found.distance).max()), 0.03)
        away = (points - places(found, vertices, faces)).norm(dim=1)
        self.assertLess(float((away - found.distance).abs().max()), 1e-5)
        self.assertTrue(bool((found.shares >= 0).all()))
        self.assertLess(float((found.shares.sum(1) - 1).abs().max()), 1e-5)

    def test_on_a_sphere_distance_is_known_near_and_far(self) -> None:
        surface = painted.sphere(40)
        generator = torch.Generator().manual_seed(7)
        points = torch.nn.functional.normalize(torch.randn(3000, 3, generator=generator), dim=1)
        points = points * (torch.rand(3000, 1, generator=generator) * 2)
        with mock.patch.object(nearest, "AT_ONCE", 1000):
            found = Tree.of(surface.vertices, surface.faces).nearest(points)
        truth = (points.norm(dim=1) - painted.RADIUS).abs()
        self.assertLess(float((found.distance - truth).abs().max()), 1e-3)

    def test_of_faces_as_near_it_is_the_first(self) -> None:
        vertices = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
        faces = torch.tensor([[0, 1, 2]] * 9)
        found = Tree.of(vertices, faces).nearest(torch.tensor([[0.2, 0.2, 1.0], [5, 5, 5]]))
        self.assertEqual(found.face.tolist(), [0, 0])

    def test_no_points_and_one_face(self) -> None:
        tree = Tree.of(torch.eye(3), torch.tensor([[0, 1, 2]]))
        self.assertEqual(len(tree.nearest(torch.zeros(0, 3)).face), 0)
        self.assertAlmostEqual(float(tree.nearest(torch.ones(1, 3)).distance), 2 / 3**0.5, places=6)

    def test_it_answers_as_cumeshs_tree_does(self) -> None:
        vertices, faces = soup(40)
        points = torch.rand(6, 3)
        distance, face, shares = Tree.of(vertices, faces).unsigned_distance(points, return_uvw=True)
        self.assertEqual((distance.shape, face.dtype, shares.shape), ((6,), torch.int64, (6, 3)))
        self.assertIsNone(Tree.of(vertices, faces).unsigned_distance(points)[2])


@unittest.skipUnless(compiled.COMPILER, "no compiler of C++ is here")
class Kernel(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="trellis-kernel-")
        self.addCleanup(folder.cleanup)
        self.search = compiled.on_processor(SOURCE, Path(folder.name))

    def test_finds_what_torch_finds(self) -> None:
        surface = painted.sphere(20)
        for vertices, faces in (soup(300), soup(5), (surface.vertices, surface.faces)):
            tree = Tree.of(vertices, faces)
            points = torch.rand(4000, 3, generator=torch.Generator().manual_seed(8)) * 2 - 0.7
            mine, theirs = tree.found_by(self.search, points), tree.nearest(points)
            self.assertLess(float((mine.distance - theirs.distance).abs().max()), 1e-5)
            apart = (places(mine, vertices, faces) - places(theirs, vertices, faces)).norm(dim=1)
            # Two places can be as near as each other.
            self.assertGreater(float((apart < 1e-4).double().mean()), 0.999)
            self.assertGreater(float((mine.face == theirs.face).double().mean()), 0.97)

    def test_an_attempt_that_finds_something_else_is_an_error(self) -> None:
        nearest._attempt(self.search, "cpu")
        with self.assertRaisesRegex(RuntimeError, "it finds"):
            nearest._attempt(lambda *_items, **_more: None, "cpu")

    def test_torchs_own_parser_finds_the_function(self) -> None:
        parsed = torch.cuda.jiterator._CodeParser(SOURCE)
        self.assertEqual((parsed.function_name, parsed.template_params), ("find_nearest", "<typename T>"))

    def test_off_means_torchs_operators(self) -> None:
        kernel.made.cache_clear()
        self.addCleanup(kernel.made.cache_clear)
        with (
            mock.patch.dict(os.environ, {kernel.VARIABLE: "off"}),
            mock.patch.object(torch.cuda, "is_available", return_value=True),
        ):
            self.assertIsNone(kernel.made(SOURCE, nearest._attempt))


if __name__ == "__main__":
    unittest.main()
