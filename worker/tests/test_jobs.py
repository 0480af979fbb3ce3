"""Jobs through a real worker process: progress, files, cancel, failures, and nothing left behind."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

from .kit import JOB, ROOT, Worker, WorkerCase, snapshot

FORMATS = ["glb", "stl", "ply", "gaussian_ply", "turntable"]
STAGES = [
    "preprocess",
    "condition",
    "sparse_structure",
    "structured_latent",
    "decode",
    "simplify",
    "texture",
    "export",
]


Points = list[tuple[float, ...]]


def extent(points: Points) -> list[float]:
    """The sides of the box around the points."""
    return [max(column) - min(column) for column in zip(*points, strict=True)]


def stl_points(path: Path) -> Points:
    """The corners of a binary STL's triangles."""
    content = path.read_bytes()[84:]
    return [
        struct.unpack_from("<3f", content, 50 * triangle + 12 * corner)
        for triangle in range(len(content) // 50)
        for corner in (1, 2, 3)
    ]


def ply_points(path: Path) -> Points:
    """The vertices of an ASCII PLY."""
    head, body = path.read_text("ascii").split("end_header\n")
    count = int(head.split("element vertex ")[1].split()[0])
    return [tuple(map(float, line.split()[:3])) for line in body.splitlines()[:count]]


class Jobs(WorkerCase):
    def run_job(self, worker: Worker, request: dict[str, Any]) -> dict[str, Any]:
        worker.send(request)
        return worker.until("done", "failed", "cancelled")

    def glb(self, request: dict[str, Any]) -> bytes:
        return (Path(request["out"]) / "model.glb").read_bytes()

    def test_progress_is_the_samplers_own(self) -> None:
        worker = self.ready()
        worker.send(self.request(ss_sampling_steps=3, slat_sampling_steps=2))
        progress: dict[str, list[tuple[int, int]]] = {}
        while (message := worker.until("progress", "done", "failed"))["type"] == "progress":
            progress.setdefault(message["stage"], []).append((message["step"], message["total"]))
        self.assertEqual(message["type"], "done", message)
        self.assertEqual(list(progress), STAGES)
        self.assertEqual(progress["sparse_structure"], [(0, 3), (1, 3), (2, 3), (3, 3)])
        self.assertEqual(progress["structured_latent"], [(0, 2), (1, 2), (2, 2)])
        self.assertEqual(progress["texture"][-1], (500, 500))
        self.assertEqual([time["stage"] for time in message["stages"]], STAGES)
        self.assertEqual(message["peak_vram_bytes"], 9 << 30)
        self.assertGreater(message["rss_bytes"], 1 << 20)

    def test_without_a_texture_nothing_is_baked(self) -> None:
        self.script({"at": "texture", "do": "raise", "type": "ValueError", "text": "baked"})
        worker = self.ready()
        request = self.request(formats=["glb", "stl", "ply"], texture=False)
        worker.send(request)
        decoded = set()
        while (done := worker.until("progress", "done", "failed"))["type"] == "progress":
            if done["stage"] == "decode":
                decoded.add(done["total"])
        self.assertEqual(done["type"], "done", done)
        self.assertEqual(decoded, {1}, "the mesh alone is decoded, not the splats")
        self.assertEqual(
            [time["stage"] for time in done["stages"]], [stage for stage in STAGES if stage != "texture"]
        )
        # Upright, as the PLY is.
        glb = self.glb(request)
        document = json.loads(glb[20 : 20 + int.from_bytes(glb[12:16], "little")])
        low, high = (document["accessors"][0][end] for end in ("min", "max"))
        points = ply_points(Path(request["out"]) / "model.ply")
        for side, expected in zip(extent([tuple(low), tuple(high)]), extent(points), strict=True):
            self.assertAlmostEqual(side, expected, places=5)

    def test_every_format_is_whole_and_described(self) -> None:
        worker = self.ready()
        request = self.request(formats=FORMATS)
        worker.send(request)
        seen = []
        while (message := worker.until("artifact", "done", "failed"))["type"] == "artifact":
            content = (Path(request["out"]) / message["name"]).read_bytes()
            self.assertEqual(message["size_bytes"], len(content))
            seen.append(message["format"])
        self.assertEqual(message["type"], "done", message)
        self.assertEqual(seen, FORMATS)
        self.assertEqual(len(list(Path(request["out"]).iterdir())), len(FORMATS))
        self.assertEqual(len(message["notes"]), 1)

    def test_libraries_without_a_commercial_licence_are_named_where_they_took_part(self) -> None:
        worker = self.ready()
        for formats, texture, expected in (
            (["ply"], True, []),
            (["turntable"], True, ["diff_gaussian_rasterization"]),
            (["glb", "ply"], True, ["diff_gaussian_rasterization", "nvdiffrast"]),
            (["glb"], False, ["nvdiffrast"]),
            # They are imported by now, and take no part.
            (["gaussian_ply"], True, []),
        ):
            end = self.run_job(worker, self.request(formats=formats, texture=texture))
            self.assertEqual((end["type"], end["non_commercial"]), ("done", expected), formats)

    def test_an_stl_is_upright_and_as_large_as_asked(self) -> None:
        worker = self.ready()
        sides = {}
        for size in (100.0, 37.5):
            request = self.request(formats=["stl", "ply"], stl_size_mm=size)
            self.assertEqual(self.run_job(worker, request)["type"], "done")
            out = Path(request["out"])
            sides[size] = extent(stl_points(out / "model.stl"))
            self.assertAlmostEqual(max(sides[size]), size, places=3)
            # The PLY has the GLB's axes, Y up: its height is the STL's third axis.
            x, y, z = extent(ply_points(out / "model.ply"))
            scale = size / max(x, y, z)
            for found, expected in zip(sides[size], (x, z, y), strict=True):
                self.assertAlmostEqual(found, expected * scale, places=3)
        self.assertGreater(len({round(side, 3) for side in sides[100.0]}), 1, "a cube would tell nothing")

    def test_the_seed_covers_the_texture_too(self) -> None:
        worker = self.ready()
        same = [self.request(seed=5), self.request(seed=5), self.request(seed=6)]
        for request in same:
            self.assertEqual(self.run_job(worker, request)["type"], "done")
        first, second, other = map(self.glb, same)
        self.assertEqual(first, second)
        self.assertNotEqual(first, other)
        again = self.request(seed=5)
        self.assertEqual(self.run_job(self.ready(), again)["type"], "done")
        self.assertEqual(self.glb(again), first)

    def test_a_cancel_takes_effect_at_the_next_step(self) -> None:
        self.script({"at": "structured_latent", "do": "sleep", "seconds": 0.05})
        worker = self.ready()
        worker.send(self.request(slat_sampling_steps=50))
        while (message := worker.until("progress"))["stage"] != "structured_latent" or message["step"] < 2:
            pass
        worker.send({"type": "cancel", "job": JOB})
        last = message["step"]
        while (message := worker.until("progress", "cancelled", "done"))["type"] == "progress":
            last = message["step"]
        self.assertEqual(message, {"type": "cancelled", "job": JOB})
        self.assertLess(last, 6)
        self.script()
        self.assertEqual(self.run_job(worker, self.request())["type"], "done")

    def test_a_cancel_right_behind_the_job_is_not_lost(self) -> None:
        worker = self.ready()
        worker.send(self.request())
        worker.send({"type": "cancel", "job": JOB})
        self.assertEqual(worker.until("done", "cancelled")["type"], "cancelled")

    def test_a_cancel_of_no_job_is_ignored(self) -> None:
        worker = self.ready()
        worker.send({"type": "cancel", "job": JOB})
        self.assertEqual(self.run_job(worker, self.request())["type"], "done")

    def test_a_failed_job_with_views_does_not_poison_the_next(self) -> None:
        self.script({"at": "structured_latent", "step": 1, "do": "out_of_memory", "times": 1})
        worker = self.ready()
        failed = self.run_job(worker, self.request(pictures=3))
        self.assertEqual((failed["kind"], failed["replace"]), ("gpu_out_of_memory", False))
        self.assertIn("in stage `structured_latent`", failed["message"])
        self.assertEqual(self.run_job(worker, self.request(pictures=3))["type"], "done")
        self.assertEqual(self.run_job(worker, self.request())["type"], "done")

    def test_low_vram_is_a_choice_of_each_job(self) -> None:
        self.script({"at": "decode", "do": "out_of_memory", "only_high_vram": True})
        worker = self.ready()
        self.assertEqual(self.run_job(worker, self.request())["type"], "failed")
        self.assertEqual(self.run_job(worker, self.request(low_vram=True))["type"], "done")
        self.assertEqual(self.run_job(worker, self.request())["type"], "failed")

    def test_failures_of_a_job_have_their_kind(self) -> None:
        kernel = {"do": "raise", "type": "RuntimeError", "text": "CUDA error: no kernel image is available"}
        rules = {
            1: ({"at": "condition", **kernel}, "no_kernel_image"),
            2: ({"at": "export", "do": "raise", "type": "no_space"}, "storage_full"),
            3: ({"at": "texture", "do": "raise", "type": "ValueError", "text": "shape"}, "internal"),
            4: ({"at": "condition", "do": "connect", "host": "192.0.2.1"}, "offline_download_attempt"),
            5: (
                {
                    "at": "condition",
                    "do": "open_url",
                    "url": "https://github.com/danielgatis/rembg/u2net.onnx",
                },
                "offline_download_attempt",
            ),
            6: (
                {
                    "at": "preprocess",
                    "do": "raise",
                    "type": "ValueError",
                    "text": "zero-size array to reduction operation minimum which has no identity",
                },
                "no_object",
            ),
        }
        self.script(*({**rule, "seed": seed} for seed, (rule, _) in rules.items()))
        worker = self.ready()
        for seed, (_, kind) in rules.items():
            request = self.request(seed=seed)
            failed = self.run_job(worker, request)
            self.assertEqual((failed["type"], failed.get("kind")), ("failed", kind), failed)
            self.assertEqual(failed["replace"], kind == "internal")
            self.assertEqual(list(Path(request["out"]).glob("*.glb")), [])

    def test_a_damaged_picture_is_bad_input(self) -> None:
        worker = self.ready()
        picture = self.folder / "picture"
        whole = picture.read_bytes()
        for content in (b"not a picture", whole[:-12]):
            picture.write_bytes(content)
            failed = self.run_job(worker, self.request())
            self.assertEqual((failed["kind"], failed["replace"]), ("bad_input", False))

    def test_a_ping_is_answered_while_a_job_runs(self) -> None:
        self.script({"at": "decode", "do": "hang"})
        worker = self.ready()
        worker.send(self.request())
        while worker.until("progress")["stage"] != "decode":
            pass
        worker.send(snapshot("to_worker.ping"))
        pong = worker.until("pong")
        self.assertEqual(pong["vram_bytes"], 6 << 30)
        self.assertGreater(pong["rss_bytes"], 1 << 20)
        self.assertTrue(worker.is_quiet())

    def test_noise_on_stdout_does_not_reach_the_protocol(self) -> None:
        self.script({"at": "condition", "do": "garbage"})
        self.assertEqual(self.run_job(self.ready(), self.request())["type"], "done")

    def test_the_end_of_the_socket_ends_a_busy_worker(self) -> None:
        self.script({"at": "decode", "do": "hang"})
        worker = self.ready()
        worker.send(self.request())
        while worker.until("progress")["stage"] != "decode":
            pass
        worker.socket.close()
        self.assertEqual(worker.process.wait(30), -9)

    def test_shutdown_exits_with_0(self) -> None:
        worker = self.ready()
        worker.send({"type": "shutdown"})
        self.assertEqual(worker.process.wait(30), 0)

    def test_a_worker_without_a_server_says_so(self) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "trellis_worker"],
            cwd=ROOT / "worker",
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(done.returncode, 2)
        self.assertIn("TRELLIS_WORKER_FD", done.stderr)
