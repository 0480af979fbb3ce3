"""A given mesh textured with TRELLIS.2's own classes, tiny, on the CPU. Voxels have known stripes."""

from __future__ import annotations

import io
import unittest
from pathlib import Path
from typing import Any

import numpy
import rods
from kit import worker_kit
from tiny import TinyCase

STEPS = 3


class TinyTexturing(TinyCase):
    # The rod goes from one side of the cube to the other.
    radius = 0.49999

    def texturing(self, **changes: Any) -> dict[str, Any]:
        files = {name: changes.pop(name) for name in ("uvs", "normals") if name in changes}
        asked = {"resolution": 512, "texture_size": 1024, "quality": "balanced", **changes}
        request = self.job(tex_slat_sampling_steps=STEPS, **asked)
        return {**request, "mesh": rods.write(self.folder / "mesh.safetensors", **files)}

    def result(self, request: dict[str, Any]) -> Any:
        import trimesh

        content = (Path(request["out"]) / "model.glb").read_bytes()
        [mesh] = trimesh.load(io.BytesIO(content), file_type="glb", process=False).geometry.values()
        return mesh

    def check_stripes(self, mesh: Any) -> None:
        """The texture against the stripes, in the middle of each face."""
        middle = mesh.vertices[mesh.faces].mean(1)
        place = (middle - numpy.array(rods.MIDDLE)) / rods.LENGTH
        place = numpy.stack([place[:, 0], -place[:, 2], place[:, 1]], 1)
        truth = 0.5 + 0.4 * numpy.sin(place * numpy.array([20.0, 26.0, 32.0]))
        uvs = mesh.visual.uv[mesh.faces].mean(1)
        picture = numpy.asarray(mesh.visual.material.baseColorTexture)
        side = len(picture)
        column = (uvs[:, 0] * side).astype(int).clip(0, side - 1)
        row = ((1 - uvs[:, 1]) * side).astype(int).clip(0, side - 1)
        seen = picture[row, column, :3] / 255
        error = numpy.abs(seen - truth)
        self.assertLess(numpy.percentile(error, 99), 0.03)
        self.assertGreater(seen.std(axis=0).min(), 0.05, "it has stripes")

    def test_a_mesh_keeps_its_triangles_and_gets_the_colours_of_the_voxels(self) -> None:
        worker = self.loaded()
        for uvs in (True, False):
            request = self.texturing(uvs=uvs)
            done, steps = self.run_job(worker, request)
            self.assertEqual(done["type"], "done", done)
            self.assertEqual(
                list(steps),
                [
                    "preprocess",
                    "condition",
                    "sparse_structure",
                    "structured_latent",
                    "texture_latent",
                    "decode",
                    "texture",
                    "export",
                ],
            )
            self.assertEqual(steps["structured_latent"], [(step, 5) for step in range(6)])
            self.assertEqual(steps["texture_latent"], [(step, STEPS) for step in range(STEPS + 1)])
            self.assertEqual(steps["decode"], [(step, 4) for step in range(5)])
            self.assertEqual((done["non_commercial"], done["notes"]), ([], []))
            mesh, (vertices, faces, _, coordinates) = self.result(request), rods.rod()
            expected = vertices.numpy()[faces.numpy()]
            numpy.testing.assert_array_equal(numpy.float32(mesh.vertices[mesh.faces]), expected)
            self.check_stripes(mesh)
            if uvs:
                kept = mesh.visual.uv[mesh.faces]
                numpy.testing.assert_allclose(kept, coordinates.numpy()[faces.numpy()], atol=1e-6)

    def test_low_vram_gives_the_same_file(self) -> None:
        worker = self.loaded()
        first, again = self.texturing(), self.texturing(low_vram=True)
        for request in (first, again):
            done, _ = self.run_job(worker, request)
            self.assertEqual(done["type"], "done", done)
        files = [(Path(request["out"]) / "model.glb").read_bytes() for request in (first, again)]
        self.assertTrue(files[0] == files[1])

    def test_a_cancel_is_heard_while_encoding_sampling_and_decoding(self) -> None:
        worker = self.loaded()
        for stage in ("structured_latent", "texture_latent", "decode", "texture"):
            request = self.texturing()
            worker.send(request)
            while worker.until("progress")["stage"] != stage:
                pass
            worker.send({"type": "cancel", "job": request["job"]})
            self.assertEqual(worker.until("cancelled", "done", "failed")["type"], "cancelled", stage)
        done, _ = self.run_job(worker, self.texturing())
        self.assertEqual(done["type"], "done", "nothing is left behind")


if __name__ == "__main__":
    worker_kit.LIMIT_SECONDS = 600
    unittest.main()
