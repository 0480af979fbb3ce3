"""What sampling made is kept where that is asked for, and made into files again without sampling."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .kit import JOB, Worker, WorkerCase

Made = tuple[dict[str, Any], list[str], list[dict[str, Any]]]


class Latents(WorkerCase):
    def made(self, worker: Worker, request: dict[str, Any]) -> Made:
        """How the job ended, its stages, and its messages of kept latents."""
        worker.send(request)
        stages: list[str] = []
        kept: list[dict[str, Any]] = []
        while (message := worker.until("progress", "latents", "done", "failed", "cancelled"))["type"] in {
            "progress",
            "latents",
        }:
            if message["type"] == "latents":
                kept.append(message)
            elif message["stage"] not in stages:
                stages.append(message["stage"])
        return message, stages, kept

    def kept(self, worker: Worker) -> tuple[Path, bytes]:
        """The latents of a job, and its GLB."""
        request = self.request(keep_latents=True)
        end, _, kept = self.made(worker, request)
        self.assertEqual((end["type"], len(kept)), ("done", 1), end)
        out = Path(request["out"])
        file = out / kept[0]["name"]
        self.assertEqual((kept[0]["job"], kept[0]["size_bytes"]), (JOB, file.stat().st_size))
        return file, (out / "model.glb").read_bytes()

    def test_they_are_kept_only_where_that_is_asked_for(self) -> None:
        request = self.request()
        end, _, kept = self.made(self.ready(), request)
        self.assertEqual((end["type"], kept), ("done", []))
        self.assertEqual([path.name for path in Path(request["out"]).iterdir()], ["model.glb"])

    def test_the_same_file_is_made_of_them_without_sampling(self) -> None:
        worker = self.ready()
        file, glb = self.kept(worker)
        # Also in a process that never saw the job, and with no picture.
        for other in (worker, self.ready()):
            request = self.request(pictures=0, latents=str(file))
            end, stages, _ = self.made(other, request)
            self.assertEqual(end["type"], "done", end)
            self.assertEqual(stages, ["decode", "simplify", "texture", "export"])
            self.assertEqual((Path(request["out"]) / "model.glb").read_bytes(), glb)

    def test_other_formats_and_sizes_are_made_of_them(self) -> None:
        worker = self.ready()
        file, _ = self.kept(worker)
        formats = ["glb", "gaussian_ply"]
        request = self.request(pictures=0, latents=str(file), formats=formats, texture_size=2048)
        end, _, _ = self.made(worker, request)
        self.assertEqual(end["type"], "done", end)
        names = sorted(path.name for path in Path(request["out"]).iterdir())
        self.assertEqual(names, ["gaussians.ply", "model.glb"])

    def test_a_job_of_them_is_cancelled_and_fails_like_others(self) -> None:
        self.script({"at": "texture", "do": "sleep", "seconds": 1})
        worker = self.ready()
        file, _ = self.kept(worker)
        worker.send(self.request(pictures=0, latents=str(file)))
        while worker.until("progress")["stage"] != "simplify":
            pass
        worker.send({"type": "cancel", "job": JOB})
        self.assertEqual(worker.until("done", "failed", "cancelled")["type"], "cancelled")
        file.write_bytes(file.read_bytes()[:10])
        end, _, _ = self.made(worker, self.request(pictures=0, latents=str(file)))
        self.assertEqual((end["type"], end["kind"], end["replace"]), ("failed", "bad_input", False), end)
        self.assertIn("the kept latents cannot be read", end["message"])
