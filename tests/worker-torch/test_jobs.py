"""Jobs over real tensors, Pillow and trimesh."""

from __future__ import annotations

import unittest
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from kit import TorchCase


class Jobs(TorchCase):
    def files(self, worker: Any, **changes: Any) -> dict[str, bytes]:
        request = self.request(formats=["stl", "ply", "gaussian_ply"], **changes)
        worker.send(request)
        found = {}
        while (message := worker.until("artifact", "done", "failed"))["type"] == "artifact":
            found[message["name"]] = (Path(request["out"]) / message["name"]).read_bytes()
        self.assertEqual(message["type"], "done", message)
        return found

    def test_the_same_job_gives_the_same_bytes_also_in_another_process(self) -> None:
        worker = self.ready()
        first = self.files(worker, seed=7)
        self.assertEqual(set(first), {"model.stl", "model.ply", "gaussians.ply"})
        self.assertNotEqual(self.files(worker, seed=8), first)
        self.assertEqual(self.files(worker, seed=7), first)
        self.assertEqual(self.files(self.ready(), seed=7), first)

    def test_an_allocator_without_memory_is_out_of_memory(self) -> None:
        self.script({"at": "condition", "do": "no_memory"})
        worker = self.ready()
        worker.send(self.request(formats=["stl"]))
        answer = worker.until("done", "failed")
        self.assertEqual(answer["kind"], "gpu_out_of_memory", answer)
        self.assertIn("in stage `sparse_structure`: 2.00 GiB more were needed", answer["message"])
        self.assertFalse(answer["replace"])

    def test_what_is_no_picture_is_bad_input(self) -> None:
        worker = self.ready()
        for content in (b"", b"\x89PNG\r\n\x1a\n", (self.folder / "picture").read_bytes()[:120]):
            with self.subTest(content=content[:8]):
                (self.folder / "picture").write_bytes(content)
                worker.send(self.request(formats=["stl"]))
                answer = worker.until("done", "failed")
                self.assertEqual(answer["kind"], "bad_input", answer)

    @unittest.skipIf(find_spec("imageio_ffmpeg"), "it is installed here")
    def test_a_turntable_without_a_writer_of_videos_names_what_is_missing(self) -> None:
        worker = self.ready()
        worker.send(self.request(formats=["turntable"]))
        answer = worker.until("done", "failed")
        self.assertEqual(answer["kind"], "extension_missing", answer)
        self.assertIn("`imageio_ffmpeg` is not installed", answer["message"])
