"""What a given mesh may be before o-voxel finds its voxels, and what is made of it first."""

from __future__ import annotations

import sys
import threading
import unittest
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy
import torch
from kit import worker_kit  # noqa: F401 puts the worker on the path
from test_simplify import torus
from trellis_worker.failures import Cancelled, WorkerError
from trellis_worker.families import trellis2_voxels as voxels
from trellis_worker.meshes import GivenMesh, without_strays
from trellis_worker.protocol import Kind

OCTAHEDRON = torch.tensor([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]]) * 0.49
SIDES = torch.tensor([[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]])


def areas(vertices: Any, faces: Any) -> Any:
    first, second, third = vertices[faces].double().unbind(1)
    return torch.linalg.cross(second - first, third - first) / 2


class Halved(unittest.TestCase):
    def test_long_edges_go_and_the_surface_stays(self) -> None:
        # Edges of many lengths: faces with one, two and three long ones, and slivers.
        stretched = OCTAHEDRON * torch.tensor([1, 0.2, 0.01])
        for vertices in (OCTAHEDRON, stretched):
            made, faces = voxels.halved(vertices, SIDES, 0.06)
            edges = made[faces] - made[faces.roll(-1, 1)]
            self.assertLessEqual(float(edges.norm(dim=2).max()), 0.06)
            before, after = areas(vertices, SIDES), areas(made, faces)
            self.assertAlmostEqual(
                float(after.norm(dim=1).sum() / before.norm(dim=1).sum()), 1, places=5, msg="as large"
            )
            # Turned inside out, a part would count against the others.
            volume = (made[faces][:, 0] * after).sum() / (vertices[SIDES][:, 0] * before).sum()
            self.assertAlmostEqual(float(volume), 1, places=5)

    def test_each_edge_still_has_two_faces(self) -> None:
        made, faces = voxels.halved(OCTAHEDRON * torch.tensor([1, 0.3, 0.05]), SIDES, 0.05)
        ends = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).sort(1).values
        self.assertEqual(ends.unique(dim=0, return_counts=True)[1].unique().tolist(), [2])
        self.assertEqual(len(made.unique(dim=0)), len(made))

    def test_what_has_no_long_edge_is_left_alone(self) -> None:
        vertices, faces = (torch.as_tensor(part) for part in torus(30, 20))
        made = voxels.halved(vertices, faces, 1.0)
        self.assertIs(made[0], vertices)
        self.assertIs(made[1], faces)


class Bounded(unittest.TestCase):
    def found(self, vertices: Any, faces: Any, side: int, count: int = 1) -> tuple[Any, Any]:
        """What o-voxel is given, which then finds so many voxels."""
        taken: list[Any] = []

        def convert(vertices: Any, faces: Any, grid_size: int, timing: bool) -> Any:
            self.assertEqual((grid_size, timing), (side, False))
            taken.extend((vertices, faces))
            return torch.zeros(count, 3), None, None

        module = SimpleNamespace(mesh_to_flexible_dual_grid=convert)
        with mock.patch.dict(sys.modules, {"o_voxel.convert": module}):
            with voxels.bounded(lambda: None):
                module.mesh_to_flexible_dual_grid(vertices, faces, grid_size=side, timing=True)
            self.assertIs(module.mesh_to_flexible_dual_grid, convert)
        return taken[0], taken[1]

    def refused(self, *args: Any, **options: Any) -> str:
        with self.assertRaises(WorkerError) as raised:
            self.found(*args, **options)
        self.assertEqual(raised.exception.kind, Kind.BAD_INPUT)
        return str(raised.exception)

    def test_few_large_triangles_are_halved_where_their_boxes_are_the_grid(self) -> None:
        self.assertIs(self.found(OCTAHEDRON, SIDES, 512)[1], SIDES)
        vertices, faces = self.found(OCTAHEDRON, SIDES, 1024)
        corners = vertices[faces] * 1024
        boxes = (corners.amax(1) - corners.amin(1) + 1).prod(1)
        self.assertLess(float(boxes.sum()), voxels.BOXES / 10)

    def test_too_much_surface_is_refused_with_what_to_do(self) -> None:
        layers = torch.arange(40)
        vertices = torch.cat([OCTAHEDRON * (1 - 0.001 * float(layer)) for layer in layers])
        faces = (SIDES[None] + 6 * layers[:, None, None]).reshape(-1, 3)
        self.assertIn("ask for a smaller `resolution`", self.refused(vertices, faces, 1024))
        self.found(vertices, faces, 512)
        with mock.patch.object(voxels, "MOST_SURFACE", 1e6):
            self.assertIn("there is no smaller `resolution`", self.refused(vertices, faces, 512))

    def test_boxes_are_counted_again_once_edges_are_halved(self) -> None:
        # Just too short to be halved at first, along the diagonal, where the boxes are largest.
        count = 200_000
        generator = torch.Generator().manual_seed(5)
        starts = torch.rand(count, 1, 3, generator=generator) * 0.9 - 0.5
        along = torch.full((3,), 63 / 1024 / 3**0.5)
        corners = starts + torch.stack((along * 0, along, along * torch.tensor([0.5, 0.5, 0.51])))
        faces = torch.arange(3 * count).view(-1, 3)
        vertices = corners.reshape(-1, 3)
        self.assertGreater(voxels._boxes(vertices, faces, 1024), 2 * voxels.MOST_BOXES)
        made = self.found(vertices, faces, 1024)
        self.assertLess(voxels._boxes(*made, 1024), voxels.MOST_BOXES)
        with mock.patch.object(voxels, "MOST_FACES", count):
            self.assertIn("long and thin", self.refused(vertices, faces, 1024))

    def test_slivers_without_end_are_refused(self) -> None:
        with mock.patch.object(voxels, "MOST_FACES", 500):
            self.assertIn("long and thin", self.refused(OCTAHEDRON, SIDES, 1024))

    def test_a_mesh_between_the_voxels_is_refused(self) -> None:
        for side, way in ((512, "ask for a larger `resolution`"), (1024, "there is no larger `resolution`")):
            said = self.refused(OCTAHEDRON, SIDES, side, count=0)
            self.assertTrue(said.startswith("the mesh is too thin") and way in said, said)

    def test_a_cancel_waits_neither_for_halves_nor_for_o_voxel(self) -> None:
        ended = threading.Event()
        self.addCleanup(ended.set)

        def check() -> None:
            raise Cancelled

        def wait(*_mesh: Any, **_options: Any) -> None:
            ended.wait()

        module = SimpleNamespace(mesh_to_flexible_dual_grid=wait)
        for eased in (voxels.eased, wait):
            with (
                mock.patch.object(voxels, "eased", eased),
                mock.patch.dict(sys.modules, {"o_voxel.convert": module}),
                voxels.bounded(check),
                self.assertRaises(Cancelled),
            ):
                module.mesh_to_flexible_dual_grid(OCTAHEDRON, SIDES, grid_size=512)

    def test_what_o_voxel_says_is_said(self) -> None:
        def convert(*_mesh: Any, **_options: Any) -> None:
            raise ValueError("too large")

        module = SimpleNamespace(mesh_to_flexible_dual_grid=convert)
        with mock.patch.dict(sys.modules, {"o_voxel.convert": module}), voxels.bounded(lambda: None):
            with self.assertRaisesRegex(ValueError, "too large"):
                module.mesh_to_flexible_dual_grid(OCTAHEDRON, SIDES, grid_size=512)


class Strays(unittest.TestCase):
    def test_vertices_of_no_face_do_not_count(self) -> None:
        vertices, faces = (torch.as_tensor(part) for part in torus(30, 20))
        normals = torch.nn.functional.normalize(vertices, dim=1)
        far = torch.tensor([[1000.0, 0, 0]])
        given = GivenMesh(
            torch.cat([far, vertices, far]), faces.int() + 1, torch.cat([far, normals, far]), None
        )
        made = without_strays(given)
        numpy.testing.assert_array_equal(made.vertices, vertices)
        numpy.testing.assert_array_equal(made.faces, faces)
        numpy.testing.assert_array_equal(made.normals, normals)
        self.assertIs(without_strays(made), made)


if __name__ == "__main__":
    unittest.main()
