"""The rasteriser against one that asks of each pixel, and baked textures against colours that are known."""

from __future__ import annotations

import math
import threading
import unittest
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy
import painted
import torch
from trellis_worker.families import trellis1
from trellis_worker.protocol import Stage
from trellis_worker.stages import Stages
from trellis_worker.texture import bake as baking
from trellis_worker.texture import glb, raster
from trellis_worker.texture.observations import Seen, clip_matrix, joined, observe

SIDE, SIZE, VIEWS = 128, 96, 24


def asked_of_each_pixel(clip: Any, faces: Any, side: int) -> tuple[Any, Any]:
    """The nearest face of each pixel by plain geometry, and how far from an edge its centre is, in pixels."""
    centre = torch.arange(side).double() + 0.5
    y, x = torch.meshgrid(centre, centre, indexing="ij")
    places = torch.stack((x, y), -1).reshape(-1, 2)
    nearest = torch.full((side * side,), math.inf, dtype=torch.float64)
    found = torch.full((side * side,), -1)
    close = torch.full((side * side,), math.inf, dtype=torch.float64)
    for index, face in enumerate(faces.tolist()):
        corner = clip[face].double()
        at = (corner[:, :2] / corner[:, 3:] + 1) * 0.5 * side
        sides = at.roll(-2, 0) - at.roll(-1, 0)
        away = places[:, None] - at.roll(-1, 0)
        cross = sides[:, 0] * away[..., 1] - sides[:, 1] * away[..., 0]
        area = float(cross[0].sum())
        if area == 0:
            continue
        share = cross / area
        close = torch.minimum(close, (cross.abs() / sides.norm(dim=1).clamp(min=1e-9)).amin(1))
        depth = (share * (corner[:, 2] / corner[:, 3])).sum(1)
        better = (share >= 0).all(1) & (depth < nearest)
        nearest[better], found[better] = depth[better], index
    return found.view(side, side), close.view(side, side)


def flat(points: list[tuple[float, float]], depth: float = 0.0) -> Any:
    return torch.tensor([[x, y, depth, 1.0] for x, y in points])


class Rasteriser(unittest.TestCase):
    def test_is_right_but_for_pixels_at_edges(self) -> None:
        surface = painted.sphere(6)
        for index in range(5):
            matrix = clip_matrix(*painted.camera(index, 5))
            clip = torch.nn.functional.pad(surface.vertices, (0, 1), value=1.0) @ matrix.T
            mine = raster.rasterise(clip[None], surface.faces, 80, 80)[0]
            found, close = asked_of_each_pixel(clip, surface.faces, 80)
            # Positions are snapped to a sixteenth of a pixel; where the surface folds, depths are snapped too.
            self.assertTrue(bool((close[mine != found] < 1 / 8).all()))
            self.assertLess(int((mine != found).sum()), 0.01 * 80 * 80)
            self.assertGreater(int((mine >= 0).sum()), 1000)

    def test_a_shared_edge_belongs_to_one_triangle(self) -> None:
        # Corners and edges through pixels' centres, in every direction.
        around = [(math.cos(k * math.pi / 4), math.sin(k * math.pi / 4)) for k in range(8)]
        fan = flat(
            [(1 / 16, 1 / 16), *[(round(8 * x) / 8 + 1 / 16, round(8 * y) / 8 + 1 / 16) for x, y in around]]
        )
        counted = torch.zeros(16, 16, dtype=torch.int64)
        for k in range(8):
            for corners in ([0, 1 + k, 1 + (k + 1) % 8], [0, 1 + (k + 1) % 8, 1 + k]):
                alone = raster.rasterise(fan[None], torch.tensor([corners]), 16, 16)[0] >= 0
                if corners[1] == 1 + k:
                    counted += alone
                else:
                    self.assertTrue(bool((alone == turned).all()), "turning a triangle changes nothing")
                turned = alone
        together = raster.rasterise(
            fan[None], torch.tensor([[0, 1 + k, 1 + (k + 1) % 8] for k in range(8)]), 16, 16
        )
        self.assertEqual(int(counted.max()), 1)
        self.assertTrue(bool(((together[0] >= 0) == (counted == 1)).all()))

    def test_pictures_at_once_are_those_one_by_one(self) -> None:
        surface = painted.sphere(6)
        matrices = torch.stack([clip_matrix(*painted.camera(index, 5)) for index in range(5)])
        clip = torch.nn.functional.pad(surface.vertices, (0, 1), value=1.0) @ matrices.mT
        together = raster.rasterise(clip, surface.faces, 40, 30)
        self.assertEqual(together.shape, (5, 30, 40))
        pixel = (together.view(-1) >= 0).nonzero()[:, 0]
        shares = raster.shares(clip, surface.faces, together.view(-1)[pixel], pixel, (40, 30))
        first = 0
        for index in range(5):
            alone = raster.rasterise(clip[index : index + 1], surface.faces, 40, 30)
            self.assertTrue(torch.equal(alone[0], together[index]))
            pixel = (alone.view(-1) >= 0).nonzero()[:, 0]
            mine = raster.shares(
                clip[index : index + 1], surface.faces, alone.view(-1)[pixel], pixel, (40, 30)
            )
            self.assertTrue(torch.equal(mine.here, shares.here[first : first + len(pixel)]))
            first += len(pixel)

    def test_the_nearest_is_seen_and_what_is_behind_the_camera_is_not(self) -> None:
        corners = [(-1.0, -1.0), (3.0, -1.0), (-1.0, 3.0)]
        clip = torch.cat([flat(corners, 0.5), flat(corners, -0.5), flat(corners, -2.0)])
        clip = torch.cat([clip, -flat(corners, -0.9)])
        faces = torch.arange(12).view(4, 3)
        self.assertTrue(bool((raster.rasterise(clip[None], faces, 8, 4) == 1).all()))
        self.assertTrue(bool((raster.rasterise(clip[None], faces[3:], 8, 4) == -1).all()))

    def test_portions_change_nothing(self) -> None:
        surface = painted.sphere(4)
        clip = (
            torch.nn.functional.pad(surface.vertices, (0, 1), value=1.0)
            @ clip_matrix(*painted.camera(1, 5)).T
        )
        whole = raster.rasterise(clip[None], surface.faces, 64, 64)
        before, raster.AT_ONCE = raster.AT_ONCE, 50
        try:
            self.assertTrue(torch.equal(raster.rasterise(clip[None], surface.faces, 64, 64), whole))
        finally:
            raster.AT_ONCE = before


def decibels(squares: Any) -> float:
    return float(-10 * squares.mean().log10())


class Views:
    """Views of a painted object, and what a texture of `size` is worth."""

    def __init__(self, surface: Any, paint: Any, size: int, side: int) -> None:
        self.size = size
        drawn = painted.views(surface, VIEWS, side, paint=paint)
        self.parts = [observe(surface, *view, size) for view in drawn]
        others = painted.views(surface, 2 * VIEWS + 1, side, slice(0, None, 5), paint)
        self.held_out = joined([observe(surface, *view, size) for view in others])

    def worth(self, texture: Any) -> float:
        """PSNR in views that it was not made from, where the surface does not lie along the line of sight."""
        pyramid = baking.Pyramid.of((texture.float() / 255).permute(2, 0, 1).flip(1))
        apart = pyramid.at(self.held_out.place, self.held_out.footprint) - self.held_out.colour / 255
        return decibels(apart[self.held_out.facing > 0.2] ** 2)

    def by_steps(self, steps: int) -> Any:
        """What TRELLIS does: Adam, each step with one view drawn at random."""
        texture = torch.nn.Parameter(torch.zeros(3, self.size, self.size))
        optimiser = torch.optim.Adam([texture], betas=(0.5, 0.9), lr=1e-2)
        drawn = torch.Generator().manual_seed(1)
        for step in range(steps):
            seen = self.parts[int(torch.randint(len(self.parts), (1,), generator=drawn))]
            optimiser.zero_grad()
            apart = baking.Pyramid.of(texture).at(seen.place, seen.footprint) - seen.colour / 255
            rough = texture.diff(dim=1).abs().mean() + texture.diff(dim=2).abs().mean()
            (apart.abs().mean() + 0.01 * rough).backward()
            optimiser.step()
            optimiser.param_groups[0]["lr"] = 1e-5 + 0.5 * (1e-2 - 1e-5) * (
                1 + math.cos(math.pi * step / steps)
            )
        return (texture.detach().clamp(0, 1) * 255).byte().flip(1).permute(1, 2, 0)


class Bake(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.views = Views(painted.sphere(24), painted.colour, SIZE, SIDE)

    def baked(self, seen: Seen) -> Any:
        return baking.bake(seen, SIZE, lambda _done, _all: None)

    def test_is_worth_what_two_and_a_half_thousand_steps_are(self) -> None:
        ours = self.views.worth(self.baked(joined(self.views.parts)))
        steps = self.views.worth(self.views.by_steps(2500))
        self.assertGreater(ours, 35)
        self.assertGreater(ours, steps)

    def test_so_it_is_with_sharp_edges_on_a_box_and_fine_noise_on_a_bumpy_sphere(self) -> None:
        for name, surface, paint in (
            ("box", painted.sphere(16, power=8), painted.chequered),
            ("bumpy sphere", painted.sphere(24, bumps=0.01), painted.fine),
        ):
            views = Views(surface, paint, SIZE // 2, SIDE // 2)
            ours = views.worth(baking.bake(joined(views.parts), views.size, lambda _done, _all: None))
            with self.subTest(name):
                self.assertGreater(ours, views.worth(views.by_steps(2500)))

    def test_the_order_of_pixels_changes_no_byte(self) -> None:
        seen = joined(self.views.parts)
        first = self.baked(seen)
        order = torch.randperm(len(seen), generator=torch.Generator().manual_seed(1))
        mixed = Seen(seen.place[order], seen.footprint[order], seen.facing[order], seen.colour[order])
        self.assertTrue(torch.equal(self.baked(mixed), first))
        before, baking.AT_ONCE = baking.AT_ONCE, 1000
        try:
            self.assertTrue(torch.equal(self.baked(seen), first))
        finally:
            baking.AT_ONCE = before

    def test_wrong_pixels_do_little(self) -> None:
        seen = joined(self.views.parts)
        wrong = torch.rand(len(seen), generator=torch.Generator().manual_seed(1)) < 0.02
        spoiled = torch.where(wrong[:, None], 255 - seen.colour, seen.colour)
        seen = Seen(seen.place, seen.footprint, seen.facing, spoiled)
        reweighted = self.views.worth(self.baked(seen))
        before, baking.FAR_OFF = baking.FAR_OFF, 10.0
        try:
            self.assertGreater(reweighted, self.views.worth(self.baked(seen)) + 2)
        finally:
            baking.FAR_OFF = before

    def test_texels_that_no_view_shows_are_like_those_beside_them(self) -> None:
        seen = joined(self.views.parts)
        hole = ((seen.place - 20).abs() < 8).all(1)
        kept = (~hole).nonzero()[:, 0]
        grey = torch.full_like(seen.colour, 100)
        texture = self.baked(Seen(seen.place[kept], seen.footprint[kept], seen.facing[kept], grey[kept]))
        self.assertLessEqual(int((texture.int() - 100).abs().max()), 1)

    def test_nothing_seen_is_a_plain_texture(self) -> None:
        nothing = joined(self.views.parts[:1])
        empty = Seen(
            *(column[:0] for column in (nothing.place, nothing.footprint, nothing.facing, nothing.colour))
        )
        self.assertEqual(int(self.baked(empty).max()), 0)


class AtOnce:
    """Does what is asked of another thread while it is asked."""

    def __init__(self, _threads: int) -> None: ...

    def __enter__(self) -> AtOnce:
        return self

    def __exit__(self, *_error: object) -> None: ...

    def submit(self, work: Callable[..., Any], *args: Any) -> Any:
        result = work(*args)
        return SimpleNamespace(result=lambda: result)


class Glb(unittest.TestCase):
    def setUp(self) -> None:
        self.surface = painted.sphere(24)
        self.drawn = 0

    def render(self, _splats: Any, extrinsics: Any, intrinsics: Any) -> dict[str, Any]:
        self.drawn += 1
        picture = painted.picture(self.surface, clip_matrix(extrinsics, intrinsics), SIDE, 2)
        return {"color": picture.permute(2, 0, 1) / 255}

    def made(self, processing: Any, stages: Stages) -> Any:
        rendering = SimpleNamespace(
            get_renderer=lambda _splats, **_options: SimpleNamespace(render=self.render),
            sphere_hammersley_sequence=lambda index, count: (index, count),
            yaw_pitch_r_fov_to_extrinsics_intrinsics=lambda yaws, pitchs, _r, _fov: tuple(
                zip(
                    *(painted.camera(yaw, pitch) for yaw, pitch in zip(yaws, pitchs, strict=True)),
                    strict=True,
                )
            ),
        )
        splats = SimpleNamespace(get_xyz=self.surface.vertices)
        simplified = self.surface.vertices.numpy(), self.surface.faces.numpy()
        return glb.to_glb(glb.Trellis(processing, rendering), splats, simplified, SIZE, stages)

    def processing(self) -> Any:
        return SimpleNamespace(
            postprocess_mesh=None,
            parametrize_mesh=lambda vertices, faces: (vertices, faces, self.surface.uvs.numpy()),
            tqdm=object,
        )

    def test_a_mesh_is_textured_as_its_views_show_it(self) -> None:
        surface = self.surface
        reports: list[tuple[str, int, int]] = []
        stages = Stages(
            lambda stage, step, total: reports.append((stage.value, step, total)),
            threading.Event(),
            lambda: None,
        )
        made = self.made(self.processing(), stages)
        self.assertEqual(reports[0], ("texture", 0, 1))
        self.assertEqual(reports[-1], ("texture", 20, 20))
        # Z up became Y up.
        turned = torch.tensor(made.vertices).float()[:, [0, 2, 1]] * torch.tensor([1.0, -1.0, 1.0])
        self.assertLess(float((turned - surface.vertices).abs().max()), 1e-6)
        # Deflated in a third of the time, which zlib's header tells.
        file = made.export(file_type="glb")
        self.assertEqual(file[file.index(b"IDAT") + 4 :][:2], b"\x78\x5e")
        texels = torch.tensor(numpy.array(made.visual.material.baseColorTexture))
        place = surface.uvs * SIZE - 0.5
        pyramid = baking.Pyramid.of((texels.float() / 255).permute(2, 0, 1).flip(1))
        apart = pyramid.at(place, torch.ones(len(place))) - painted.colour(surface.vertices)
        self.assertGreater(decibels(apart**2), 24)

    def test_nothing_waits_for_the_views_before_the_mesh_is_unwrapped(self) -> None:
        waited: list[int] = []
        stages = Stages(lambda *_step: None, threading.Event(), lambda: waited.append(self.drawn))
        processing = self.processing()

        def unwrapped(*mesh: Any) -> Any:
            self.assertEqual(stages.current, Stage.TEXTURE)
            self.assertEqual(self.drawn, glb.VIEWS)
            waited.append(-1)
            return (*mesh, self.surface.uvs.numpy())

        processing.parametrize_mesh = unwrapped
        stages.enter(Stage.SIMPLIFY)
        with (
            mock.patch.object(glb, "ThreadPoolExecutor", AtOnce),
            trellis1._baking(processing, stages),
        ):
            self.made(processing, stages)
        self.assertEqual(waited, [0, -1])
