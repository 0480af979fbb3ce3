"""A mesh that is textured by TRELLIS.2's stand-in, through a real worker process."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import Any

from .test_trellis2 import Trellis2Case

STAGES = [
    "preprocess",
    "condition",
    "sparse_structure",
    "structured_latent",
    "texture_latent",
    "decode",
    "texture",
    "export",
]
CORNERS = [(2.0, 4.0, 6.0), (4.0, 4.0, 6.0), (2.0, 5.0, 6.0), (2.0, 4.0, 7.0)]
FACES = [(0, 2, 1), (0, 1, 3), (1, 2, 3), (0, 3, 2)]


def mesh_file(path: Path) -> str:
    """A tetrahedron, as the server writes it."""
    body = b"".join(struct.pack("<3f", *corner) for corner in CORNERS)
    vertices = {"dtype": "F32", "shape": [len(CORNERS), 3], "data_offsets": [0, len(body)]}
    start = len(body)
    body += b"".join(struct.pack("<3i", *face) for face in FACES)
    faces = {"dtype": "I32", "shape": [len(FACES), 3], "data_offsets": [start, len(body)]}
    header = json.dumps({"vertices": vertices, "faces": faces}).encode("utf-8")
    path.write_bytes(struct.pack("<Q", len(header)) + header + body)
    return str(path)


class Texturing(Trellis2Case):
    def texturing(self, **changes: Any) -> dict[str, Any]:
        request = self.of_trellis2(**changes)
        return {**request, "mesh": mesh_file(self.folder / "mesh.safetensors")}

    def test_each_stage_tells_its_own_steps(self) -> None:
        request = self.texturing(tex_slat_sampling_steps=3)
        done, steps = self.run_job(self.loaded(), request)
        self.assertEqual(done["type"], "done", done)
        self.assertEqual(list(steps), STAGES)
        self.assertEqual([time["stage"] for time in done["stages"]], STAGES)
        # The shape is not sampled, but encoded level by level.
        self.assertEqual(steps["structured_latent"], [(step, 4) for step in range(5)])
        self.assertEqual(steps["texture_latent"], [(step, 3) for step in range(4)])
        self.assertEqual(steps["decode"], [(step, 4) for step in range(5)])
        self.assertEqual(done["non_commercial"], ["nvdiffrast"], "TRELLIS.2's own code draws the texture")

    def test_the_mesh_keeps_its_size_and_place(self) -> None:
        request = self.texturing(resolution=512)
        done, _ = self.run_job(self.loaded(), request)
        self.assertEqual(done["type"], "done", done)
        encoded = json.loads((self.folder / "encoded.json").read_text("utf-8"))
        self.assertEqual(encoded, {"vertices": 4, "faces": 4, "resolution": 512})
        content = (Path(request["out"]) / "model.glb").read_bytes()
        (length,) = struct.unpack_from("<I", content, 12)
        places = json.loads(content[20 : 20 + length])["accessors"][0]
        # The stand-in does not move it into the cube, so it comes out twice as large around its middle.
        self.assertEqual((places["min"], places["max"]), ([7.0, 12.5, 18.5], [11.0, 14.5, 20.5]))

    def test_xatlas_stays_on_the_cores_that_are_allowed(self) -> None:
        everywhere = len(os.sched_getaffinity(0))
        for allowed in (1, everywhere):
            self.variables = {"TRELLIS_WORKER_CORES": str(allowed)}
            done, _ = self.run_job(self.loaded(), self.texturing())
            self.assertEqual(done["type"], "done", done)
            self.assertEqual(json.loads((self.folder / "cores.json").read_text("utf-8")), allowed)

    def test_a_grid_that_no_flow_is_for_becomes_the_finest_that_one_is_for(self) -> None:
        done, _ = self.run_job(self.loaded(), self.texturing(resolution=1536))
        self.assertEqual(done["type"], "done", done)
        encoded = json.loads((self.folder / "encoded.json").read_text("utf-8"))
        self.assertEqual(encoded["resolution"], 1024)

    def test_latents_are_not_kept(self) -> None:
        worker = self.loaded()
        worker.send({**self.texturing(), "keep_latents": True})
        self.assertEqual(worker.until("latents", "done", "failed")["type"], "done")

    def test_without_the_encoder_pictures_are_made_and_meshes_are_not(self) -> None:
        (self.folder / "ckpts" / "shape_enc.safetensors").unlink()
        worker = self.loaded()
        failed, _ = self.run_job(worker, self.texturing())
        self.assertEqual((failed["type"], failed["kind"]), ("failed", "checkpoint_missing"), failed)
        self.assertIn("which is not in the model folder", failed["message"])
        done, _ = self.run_job(worker, self.of_trellis2())
        self.assertEqual(done["type"], "done", done)

    def test_an_encoder_that_lacks_weights_is_refused_at_once(self) -> None:
        header = b"{}"
        content = struct.pack("<Q", len(header)) + header
        (self.folder / "ckpts" / "shape_enc.safetensors").write_bytes(content)
        answer = self.start().load(model="trellis2-4b")
        self.assertEqual((answer["type"], answer["kind"]), ("failed", "checkpoint_corrupt"), answer)
        self.assertIn("`ckpts/shape_enc` does not fit: it lacks `weight`", answer["message"])

    def test_a_cancel_is_heard_while_encoding_sampling_and_decoding(self) -> None:
        worker = self.loaded()
        for stage in ("structured_latent", "texture_latent", "decode"):
            # The levels of the encoder are such as a decoder has.
            place = {"structured_latent": "decode"}.get(stage, stage)
            self.script({"at": place, "do": "sleep", "seconds": 0.1})
            request = self.texturing()
            worker.send(request)
            while worker.until("progress")["stage"] != stage:
                pass
            worker.send({"type": "cancel", "job": request["job"]})
            answer = worker.until("cancelled", "done", "failed")
            self.assertEqual(answer["type"], "cancelled", (stage, answer))
        done, _ = self.run_job(worker, self.of_trellis2())
        self.assertEqual(done["type"], "done", "nothing is left behind")

    def test_a_damaged_mesh_is_the_job_s_fault(self) -> None:
        request = self.texturing()
        Path(request["mesh"]).write_bytes(b"no mesh")
        failed, _ = self.run_job(self.loaded(), request)
        self.assertEqual((failed["type"], failed["kind"]), ("failed", "bad_input"), failed)
        self.assertIn("the mesh cannot be read", failed["message"])

    def test_other_formats_are_the_server_s_to_make(self) -> None:
        failed, _ = self.run_job(self.loaded(), self.texturing(formats=["ply"]))
        self.assertEqual((failed["type"], failed["kind"]), ("failed", "bad_input"), failed)
