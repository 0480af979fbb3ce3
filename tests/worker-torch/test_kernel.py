"""The kernel that draws faces, compiled for the processor, against the rasteriser in torch."""

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
from trellis_worker.texture import kernel, raster
from trellis_worker.texture.observations import clip_matrix


@unittest.skipUnless(compiled.COMPILER, "no compiler of C++ is here")
class Kernel(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="trellis-kernel-")
        self.addCleanup(folder.cleanup)
        self.rows = compiled.on_processor(kernel.SOURCE, Path(folder.name))
        self.draw = kernel.drawing(self.rows)

    def both(self, clip: Any, faces: Any, width: int, height: int) -> tuple[Any, Any]:
        places, depths = raster._snapped(clip, width, height)
        nearest = torch.full((len(clip), height, width), raster.NOTHING)
        self.draw(places, depths, faces, nearest, raster.GRID)
        drawn = torch.where(nearest == raster.NOTHING, -1, nearest & ((1 << raster.FACE_BITS) - 1))
        return drawn, raster.rasterise(clip, faces, width, height)

    def test_a_mesh_from_several_sides(self) -> None:
        surface = painted.sphere(6)
        matrices = torch.stack([clip_matrix(*painted.camera(index, 5)) for index in range(5)])
        clip = torch.nn.functional.pad(surface.vertices, (0, 1), value=1.0) @ matrices.mT
        mine, theirs = self.both(clip, surface.faces.long(), 80, 60)
        self.assertTrue(torch.equal(mine, theirs))
        self.assertGreater(int((mine >= 0).sum()), 5000)

    def test_faces_of_all_sizes_in_any_place(self) -> None:
        generator = torch.Generator().manual_seed(3)
        for scale in (0.1, 0.3, 4.0, 3e5):
            middle = torch.rand(2, 300, 1, 2, generator=generator) * 2 - 1
            corners = middle + (torch.rand(2, 300, 3, 2, generator=generator) - 0.5) * scale
            depth = torch.rand(2, 300, 3, 1, generator=generator) * 3 - 1.5
            w = torch.rand(2, 300, 3, 1, generator=generator) * 2 - 0.2
            # On the grid, so that edges and corners fall on pixels' centres.
            corners[:, :150] = (corners[:, :150] * 64).round() / 64
            w[:, :150] = 1
            clip = torch.cat((corners * w, depth * w, w), -1).view(2, 900, 4)
            mine, theirs = self.both(clip, torch.arange(900).view(300, 3), 64, 48)
            self.assertTrue(torch.equal(mine, theirs))
            self.assertGreater(int((mine >= 0).sum()), 50)

    def test_a_picture_is_drawn_before_the_next_is_begun(self) -> None:
        surface, count = painted.sphere(6), 5
        matrices = torch.stack([clip_matrix(*painted.camera(index, count)) for index in range(count)])
        clip = torch.nn.functional.pad(surface.vertices, (0, 1), value=1.0) @ matrices.mT
        places, depths = raster._snapped(clip, 80, 60)
        whole, first = (torch.full((count, 60, 80), raster.NOTHING) for _ in range(2))
        self.draw(places, depths, surface.faces.long(), whole, raster.GRID)
        drawing = kernel.drawing(lambda items, **more: self.rows(items[: len(items) // count], **more))
        drawing(places, depths, surface.faces.long(), first, raster.GRID)
        self.assertTrue(torch.equal(first[0], whole[0]))
        self.assertTrue(bool((first[1:] == raster.NOTHING).all()))

    def test_an_attempt_that_draws_something_else_is_an_error(self) -> None:
        kernel.attempt(self.rows, "cpu")
        with self.assertRaisesRegex(RuntimeError, "it draws"):
            kernel.attempt(lambda *_args, **_more: None, "cpu")


class Chosen(unittest.TestCase):
    def test_torchs_own_parser_finds_the_function(self) -> None:
        parsed = torch.cuda.jiterator._CodeParser(kernel.SOURCE)
        self.assertEqual(parsed.function_name, "draw_rows")
        self.assertEqual(parsed.template_params, "<typename T>")

    def test_off_means_torchs_operators(self) -> None:
        kernel.made.cache_clear()
        self.addCleanup(kernel.made.cache_clear)
        with (
            mock.patch.dict(os.environ, {kernel.VARIABLE: "off"}),
            mock.patch.object(torch.cuda, "is_available", return_value=True),
        ):
            self.assertIsNone(kernel.compiled())

    def test_a_kernel_that_does_not_compile_is_said_and_not_used(self) -> None:
        kernel.made.cache_clear()
        self.addCleanup(kernel.made.cache_clear)
        with (
            mock.patch.object(kernel, "wanted", return_value=True),
            mock.patch.object(kernel, "attempt", side_effect=RuntimeError("no compiler")),
            self.assertLogs("trellis_worker.texture.kernel", "WARNING") as said,
        ):
            self.assertIsNone(kernel.compiled())
        self.assertIn("no compiler", said.output[0])


if __name__ == "__main__":
    unittest.main()
