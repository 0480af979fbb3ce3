"""TRELLIS.2's GLB in our way: its textures against colours that are known, and its parts against plain ones."""

from __future__ import annotations

import io
import os
import sys
import threading
import unittest
from importlib.util import find_spec
from typing import Any
from unittest import mock

import numpy
import shells
import torch
from test_simplify import torus
from trellis_worker.protocol import Stage
from trellis_worker.stages import Cancelled, Stages
from trellis_worker.texture import atlas, pbr, walls
from trellis_worker.texture.fill import filled
from trellis_worker.texture.voxels import Voxels

SIDE, SIZE, FACES = 80, 256, 2500


class Told:
    """What a job is told, and when it is cancelled."""

    def __init__(self, cancel_at: tuple[Stage, int] | None = None) -> None:
        self.steps: list[tuple[str, int, int]] = []
        self.cancel_at = cancel_at
        self.cancelled = threading.Event()
        self.stages = Stages(self.report, self.cancelled, lambda: None)

    def report(self, stage: Stage, step: int, total: int) -> None:
        self.steps.append((stage.value, step, total))
        if (stage, step) == self.cancel_at:
            self.cancelled.set()


@unittest.skipUnless(find_spec("fast_simplification") and find_spec("trimesh"), "libraries are missing")
class Made(unittest.TestCase):
    mesh: Any

    @classmethod
    def setUpClass(cls) -> None:
        cls.mesh = shells.decoded(*torus(90, 50), SIDE)

    def made(self, told: Told | None = None, remesh: bool = False) -> Any:
        with mock.patch.dict(sys.modules, {"cumesh": shells.cumesh}):
            return pbr.to_glb(self.mesh, pbr.Asked(FACES, SIZE, remesh), (told or Told()).stages)

    def test_textures_are_as_near_to_the_truth_as_with_xatlas(self) -> None:
        worth = {"on": shells.worth(self.made())}
        self.assertGreater(worth["on"]["colour"], 44)
        self.assertGreater(worth["on"]["metal and roughness"], 49)
        if find_spec("xatlas"):
            with mock.patch.dict(os.environ, {atlas.VARIABLE: "off"}):
                worth["off"] = shells.worth(self.made())
            for name, value in worth["off"].items():
                self.assertGreater(worth["on"][name], value - 0.3, name)

    def test_each_step_is_told_and_ends_a_cancelled_job(self) -> None:
        told = Told()
        self.made(told)
        self.assertEqual(
            told.steps,
            [("simplify", step, 4) for step in range(5)] + [("texture", step, 3) for step in range(3)],
        )
        for at in ((Stage.SIMPLIFY, 1), (Stage.TEXTURE, 0), (Stage.TEXTURE, 1)):
            with self.assertRaises(Cancelled):
                self.made(Told(at))

    def test_a_rebuilt_surface_takes_the_colours_of_the_one_before(self) -> None:
        made = self.made(remesh=True)
        self.assertFalse(made.visual.material.doubleSided)
        # The stand-in moves the surface out by a voxel; the truth is where it was.
        worth = shells.worth(made, outside=1 / SIDE * (SIDE + 3) / SIDE)
        self.assertGreater(worth["colour"], 34)

    def test_of_a_rebuilt_surface_the_inner_wall_is_left_out(self) -> None:
        rebuilt = shells.cumesh.remeshing.remesh_narrow_band_dc

        def both_walls(vertices: Any, faces: Any, **options: Any) -> tuple[Any, Any]:
            outer, _ = rebuilt(vertices, faces, **options)
            turned = faces[:, [0, 2, 1]] + len(outer)
            return torch.cat([outer, 2 * vertices - outer]), torch.cat([faces, turned])

        with mock.patch.object(shells.cumesh.remeshing, "remesh_narrow_band_dc", both_walls):
            made = self.made(remesh=True)
        alone = self.made(remesh=True)
        self.assertTrue(made.export(file_type="glb") == alone.export(file_type="glb"))

    def test_the_file_is_whole(self) -> None:
        import trimesh

        made = self.made()
        self.assertTrue(made.visual.material.doubleSided)
        scene = trimesh.load(io.BytesIO(made.export(file_type="glb")), file_type="glb")
        [read] = scene.geometry.values()
        self.assertLessEqual(len(read.faces), FACES)
        colour, rough = read.visual.material.baseColorTexture, read.visual.material.metallicRoughnessTexture
        self.assertEqual(
            (colour.mode, colour.size, rough.mode, rough.size), ("RGBA", (SIZE,) * 2, "RGB", (SIZE,) * 2)
        )
        self.assertEqual(numpy.asarray(rough)[..., 0].max(), 0)
        self.assertGreater(numpy.asarray(colour)[..., 3].min(), 250)
        # Outside is where normals point.
        facing = (read.vertex_normals * read.face_normals[_a_face_of_each(read)]).sum(1)
        self.assertGreater(facing.min(), 0)
        self.assertGreater(read.volume, 0)

    def test_each_time_the_same_bytes(self) -> None:
        first, second = (self.made().export(file_type="glb") for _ in range(2))
        self.assertTrue(first == second)


class Walls(unittest.TestCase):
    def test_pieces_that_are_inside_out_go(self) -> None:
        vertices, faces = (torch.as_tensor(part) for part in torus(40, 20))
        faces = faces.int()

        def scene(*parts: tuple[float, tuple[float, float, float], bool]) -> tuple[Any, Any]:
            """Tori of some size at some place, inside out or not."""
            places = [vertices * size + torch.tensor(place) for size, place, _ in parts]
            sides = [faces[:, [0, 2, 1]] if turned else faces for _, _, turned in parts]
            corners = [side + index * len(vertices) for index, side in enumerate(sides)]
            return torch.cat(places), torch.cat(corners)

        origin, beside = (0.0, 0.0, 0.0), (3.0, 1.0, 0.0)
        outer = [(1.0, origin, False), (0.3, beside, False)]
        expected = scene(*outer)
        for at_once in (1 << 22, 700):
            with mock.patch.object(walls, "AT_ONCE", at_once):
                made = walls.without_inner(
                    *scene(outer[0], (0.99, origin, True), outer[1], (0.28, beside, True))
                )
                self.assertTrue(torch.equal(made[0], expected[0]))
                self.assertTrue(torch.equal(made[1], expected[1]))
                same = walls.without_inner(*expected)
        self.assertIs(same[0], expected[0])
        # All of it inside out, the outer one is still the outer one.
        turned = scene((1.0, origin, True), (0.99, origin, False))
        self.assertTrue(torch.equal(walls.without_inner(*turned)[0], vertices))

    def test_what_hangs_together_is_one_piece(self) -> None:
        generator = torch.Generator().manual_seed(1)
        chain = torch.stack([torch.arange(999), torch.arange(999) + 1, torch.arange(999)], 1)
        name = torch.randperm(1000, generator=generator)
        faces = torch.cat([name[chain], name[chain] + 1000])
        self.assertEqual(walls.pieces(2000, faces).tolist(), [0] * 1000 + [1000] * 1000)


def _a_face_of_each(mesh: Any) -> Any:
    of = numpy.zeros(len(mesh.vertices), dtype=int)
    of[mesh.faces.ravel()] = numpy.repeat(numpy.arange(len(mesh.faces)), 3)
    return of


class Sampled(unittest.TestCase):
    def test_between_voxels_it_is_what_a_full_grid_gives(self) -> None:
        generator = torch.Generator().manual_seed(2)
        side = 7
        grid = torch.rand(4, side, side, side, generator=generator)
        line = torch.arange(side)
        coords = torch.stack(torch.meshgrid(line, line, line, indexing="ij"), -1).reshape(-1, 3)
        order = torch.randperm(len(coords), generator=generator)
        voxels = Voxels.of(coords[order], grid.reshape(4, -1).T[order], torch.tensor([-0.5] * 3), 1 / side)
        places = torch.rand(500, 3, generator=generator) * (1 - 1 / side) - 0.5 + 0.5 / side
        numbers, weight = voxels.at(places)
        there = torch.nn.functional.grid_sample(
            grid[None], (places * 2).flip(1).view(1, -1, 1, 1, 3), align_corners=False
        )[0, :, :, 0, 0].T
        self.assertLess(float((numbers - there).abs().max()), 1e-5)
        self.assertLess(float((weight - 1).abs().max()), 1e-5)

    def test_voxels_that_are_not_there_are_left_out(self) -> None:
        coords = torch.tensor([[3, 0, 1], [3, 1, 1]])
        voxels = Voxels.of(coords, torch.tensor([[1.0], [2.0]]), torch.zeros(3), 1.0)
        places = torch.tensor(
            [[3.5, 0.5, 1.5], [3.9, 1.0, 1.5], [3.5, 0.5, 0.6], [3.5, 4.0, 1.5], [-9.0, 0, 0]]
        )
        numbers, weight = voxels.at(places)
        self.assertTrue(torch.allclose(numbers[:, 0], torch.tensor([1, 1.5, 1, 0, 0])))
        self.assertTrue(torch.allclose(weight, torch.tensor([1, 0.6, 0.1, 0, 0]), atol=1e-6))


class Filled(unittest.TestCase):
    def test_faces_go_on_around_a_chart_and_not_into_another(self) -> None:
        shown = torch.full((9, 12), -1)
        shown[4, 3], shown[4, 8] = 5, 7
        whole = pbr.grown(shown)
        self.assertEqual(whole[4].tolist(), [-1, 5, 5, 5, 5, 5, 7, 7, 7, 7, 7, -1])
        self.assertEqual(whole[2, 1:6].tolist(), [5] * 5)
        self.assertTrue(bool((whole[1] == -1).all()))

    def test_what_is_known_stays_and_the_rest_is_what_is_near(self) -> None:
        known = torch.zeros(32, 32)
        known[2:12, 2:12], known[20:30, 20:30] = 1, 1
        picture = torch.zeros(2, 32, 32)
        picture[0, :16], picture[1, 16:] = 0.25, 0.75
        whole = filled(picture * known, known)
        self.assertTrue(torch.equal(whole[:, known > 0], picture[:, known > 0]))
        self.assertTrue(torch.allclose(whole[:, 0, 0], torch.tensor([0.25, 0.0]), atol=0.02))
        self.assertTrue(torch.allclose(whole[:, 31, 31], torch.tensor([0.0, 0.75]), atol=0.02))


if __name__ == "__main__":
    unittest.main()
