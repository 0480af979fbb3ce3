"""From picture to mesh with TRELLIS.2's own classes, tiny, on the CPU: all but what needs kernels.

What the GPU alone can do (the GLB's texture, fewer faces) is looked at in tests/gpu.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import unittest
import zlib
from pathlib import Path
from typing import Any

from kit import ROOT, worker_kit
from tiny import FEW_STEPS, TinyCase

RADIUS = 0.12


class TinyTrellis2(TinyCase):
    radius = RADIUS

    def mesh(self, request: dict[str, Any], name: str) -> Any:
        import trimesh

        return trimesh.load(Path(request["out"]) / name, process=True)

    def test_a_picture_becomes_a_mesh_and_each_step_is_told(self) -> None:
        request = self.job(resolution=512, formats=["stl", "ply"])
        done, steps = self.run_job(self.loaded(), request)
        self.assertEqual(done["type"], "done", done)
        self.assertEqual(steps["sparse_structure"], [(step, 3) for step in range(4)])
        self.assertEqual(steps["structured_latent"], [(step, 2) for step in range(3)])
        self.assertEqual(steps["texture_latent"], [(step, 2) for step in range(3)])
        self.assertEqual(steps["decode"], [(step, 8) for step in range(9)])
        solid, coloured = self.mesh(request, "model.stl"), self.mesh(request, "model.ply")
        self.assertTrue(solid.is_watertight)
        for extent in coloured.extents:
            self.assertAlmostEqual(extent, 2 * RADIUS, delta=2 / 512)
        self.assertGreater(coloured.visual.vertex_colors[:, :3].std(axis=0).min(), 20, "it has stripes")

    @unittest.skipUnless(importlib.util.find_spec("fast_simplification"), "it is not installed")
    def test_a_glb_has_the_materials_of_the_voxels(self) -> None:
        sys.path.append(str(ROOT / "tests" / "gpu"))
        import glbs

        request = self.job(resolution=512, formats=["glb"], quality="balanced", texture_size=1024)
        done, steps = self.run_job(self.loaded(), request)
        self.assertEqual(done["type"], "done", done)
        self.assertEqual((steps["simplify"][-1], steps["texture"][-1]), ((4, 4), (3, 3)))
        content = (Path(request["out"]) / "model.glb").read_bytes()
        self.assertEqual(glbs.flaws(content, 1024, RADIUS, 500_000), [])
        self.assertEqual(done["non_commercial"], [])

    def test_an_o_voxel_file_has_what_the_decoders_made(self) -> None:
        request = self.job(resolution=512, formats=["vxz"])
        done, _ = self.run_job(self.loaded(), request)
        self.assertEqual(done["type"], "done", done)
        content = (Path(request["out"]) / "model.vxz").read_bytes()
        begin = int.from_bytes(content[4:8], "big")
        header = json.loads(content[8:begin])
        # As many voxels as the sphere's surface has, times 1.5.
        expected = 1.5 * 4 * 3.14 * (RADIUS * 512) ** 2
        self.assertAlmostEqual(header["num_voxel"] / expected, 1, delta=0.1)
        # It lies around the grid's middle, and so in each of the eight cubes there.
        self.assertEqual(len(header["chunks"]), 8)
        held: dict[str, bytes] = {}
        for chunk in header["chunks"]:
            for name, width in header["attr"]:
                at = begin + chunk["ptr"][0] + chunk[name][0]
                held[name] = held.get(name, b"") + zlib.decompress(
                    content[at : at + chunk[name][1]], wbits=-15
                )
                self.assertEqual(len(held[name]) % width, 0)
        self.assertEqual({len(held[name]) / width for name, width in header["attr"]}, {header["num_voxel"]})
        self.assertEqual(set(held["intersected"]) - set(range(8)), set())
        # A face for each crossed edge, and at a closed surface as many faces as voxels.
        crossed = sum(flags.bit_count() for flags in held["intersected"]) / header["num_voxel"]
        self.assertAlmostEqual(crossed, 1, delta=0.1)
        self.assertGreater(len(set(held["base_color"])), 20, "it has stripes")

    def test_the_cascade_is_as_fine_as_was_asked(self) -> None:
        # Where a library is installed that reduces faces, all of them are kept.
        request = self.job(resolution=1024, formats=["stl"], low_vram=True, decimation_target=2_000_000)
        done, steps = self.run_job(self.loaded(), request)
        self.assertEqual(done["type"], "done", done)
        self.assertEqual(steps["condition"][-1], (2, 2))
        self.assertEqual(steps["structured_latent"], [(step, 4) for step in range(5)])
        solid = self.mesh(request, "model.stl")
        # A sphere's voxels are as many as its surface, times 1.5: so many faces has a side.
        expected = 2 * 1.5 * 4 * 3.14 * (RADIUS * 1024) ** 2
        self.assertAlmostEqual(len(solid.faces) / expected, 1, delta=0.1)

    def test_what_was_sampled_is_decoded_again_to_the_same_mesh(self) -> None:
        worker = self.loaded()
        wish = {"resolution": 512, "formats": ["stl", "ply"]}
        first = {**self.job(**wish), "keep_latents": True}
        worker.send(first)
        kept = worker.until("latents", "done", "failed")
        self.assertEqual(kept["type"], "latents", kept)
        self.assertEqual(worker.until("done", "failed")["type"], "done")
        latents = Path(first["out"]) / kept["name"]
        again = {**self.job(low_vram=True, **wish), "pictures": [], "latents": str(latents)}
        done, steps = self.run_job(worker, again)
        self.assertEqual(done["type"], "done", done)
        self.assertEqual(set(steps), {"decode", "simplify", "texture", "export"})
        for name in ("model.stl", "model.ply"):
            self.assertEqual(
                (Path(again["out"]) / name).read_bytes(), (Path(first["out"]) / name).read_bytes(), name
            )

    def test_our_way_samples_what_trellis2_s_own_does(self) -> None:
        import torch
        from trellis_worker.latents import read

        worker = self.loaded()
        kept = []
        wish = {"resolution": 512, "formats": ["ply"], "tex_slat_guidance_strength": 3.0}
        for quality in ("exact", "balanced"):
            request = {**self.job(quality=quality, **wish), "keep_latents": True}
            worker.send(request)
            message = worker.until("latents", "done", "failed")
            self.assertEqual(message["type"], "latents", message)
            names = ("coords", "shape", "texture")
            kept.append(read(Path(request["out"]) / message["name"], names))
            self.assertEqual(worker.until("done", "failed")["type"], "done")
        self.assertTrue(torch.equal(kept[0]["coords"], kept[1]["coords"]))
        for name in ("shape", "texture"):
            apart = (kept[0][name] - kept[1][name]).abs().max()
            self.assertLess(float(apart), 1e-3 * float(kept[0][name].abs().max()), name)

    def test_a_cancel_is_heard_in_each_flow_and_while_decoding(self) -> None:
        worker = self.loaded()
        for stage in ("sparse_structure", "structured_latent", "texture_latent", "decode"):
            request = self.job(resolution=512, formats=["ply"], **{name: 8 for name in FEW_STEPS})
            worker.send(request)
            while worker.until("progress")["stage"] != stage:
                pass
            worker.send({"type": "cancel", "job": request["job"]})
            self.assertEqual(worker.until("cancelled", "done", "failed")["type"], "cancelled", stage)
        done, _ = self.run_job(worker, self.job(resolution=512, formats=["stl"]))
        self.assertEqual(done["type"], "done", "nothing is left behind")


if __name__ == "__main__":
    worker_kit.LIMIT_SECONDS = 600
    unittest.main()
