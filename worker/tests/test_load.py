"""Loading, and what is said when it fails."""

from __future__ import annotations

import json
import subprocess
import sys
import unittest
import warnings
from typing import Any

from trellis_worker.families.trellis1 import ignore_notebooks

from .kit import PLACES, ROOT, WorkerCase


class Loading(WorkerCase):
    def failure(self) -> dict[str, Any]:
        answer = self.start().load()
        self.assertEqual(answer["type"], "failed", answer)
        self.assertNotIn("job", answer)
        return answer

    def test_a_load_tells_each_part_and_its_settings(self) -> None:
        worker = self.start()
        worker.send(worker.load_message())
        parts: list[str] = []
        while (message := worker.until("load_progress", "loaded", "failed"))["type"] == "load_progress":
            part = message["part"].partition(":")[0]
            if part not in parts:
                parts.append(part)
        self.assertEqual(message["type"], "loaded", message)
        self.assertEqual(
            parts,
            [
                "trellis",
                "sparse_structure_decoder",
                "sparse_structure_flow_model",
                "slat_decoder_gs",
                "slat_decoder_mesh",
                "slat_flow_model",
                "image_cond_model",
                "placement",
                "warm_up",
            ],
        )
        self.assertEqual(message["vram_bytes"], 6 << 30)
        self.assertIn("seeded: torch, numpy, random", message["determinism"])

    def test_the_warm_up_makes_what_the_load_says(self) -> None:
        worker = self.start()
        message = worker.load_message()
        message["warm_up"]["ss_sampling_steps"] = 3
        worker.send(message)
        seen = []
        while (answer := worker.until("load_progress", "loaded", "failed"))["type"] == "load_progress":
            seen.append(answer["part"])
        self.assertEqual(answer["type"], "loaded", answer)
        self.assertIn("warm_up: sparse_structure 3/3", seen)

    def test_a_model_that_is_not_known_is_named(self) -> None:
        answer = self.start().load(model="trellis-9")
        self.assertEqual(answer["type"], "failed")
        self.assertIn("`trellis-9`", answer["message"])

    def test_a_missing_checkpoint_is_named(self) -> None:
        (self.folder / "ckpts" / "slat_flow.safetensors").unlink()
        answer = self.failure()
        self.assertEqual(answer["kind"], "checkpoint_missing")
        self.assertIn("`ckpts/slat_flow.safetensors`", answer["message"])

    def test_a_missing_pipeline_is_named(self) -> None:
        (self.folder / "pipeline.json").unlink()
        self.assertEqual(self.failure()["kind"], "checkpoint_missing")

    def test_a_truncated_checkpoint_is_corrupt(self) -> None:
        file = self.folder / "ckpts" / "slat_flow.safetensors"
        file.write_bytes(file.read_bytes()[:-3])
        answer = self.failure()
        self.assertEqual(answer["kind"], "checkpoint_corrupt")
        self.assertIn("`ckpts/slat_flow`", answer["message"])

    def test_a_checkpoint_with_another_key_is_corrupt(self) -> None:
        file = self.folder / "ckpts" / "slat_flow.safetensors"
        file.write_bytes(file.read_bytes().replace(b"weight", b"wrong!"))
        answer = self.failure()
        self.assertEqual(answer["kind"], "checkpoint_corrupt")
        self.assertIn("state_dict", answer["message"])

    def test_a_checkpoint_of_an_unknown_class_is_corrupt(self) -> None:
        (self.folder / "ckpts" / "slat_flow.json").write_text('{"name": "Other", "args": {}}', "utf-8")
        self.assertEqual(self.failure()["kind"], "checkpoint_corrupt")

    def test_a_broken_pipeline_is_corrupt(self) -> None:
        for text in ("{", "[]", '{"args": {"models": {"a": 7}}}', "[" * 100_000):
            with self.subTest(text[:20]):
                (self.folder / "pipeline.json").write_text(text, "utf-8")
                self.assertEqual(self.failure()["kind"], "checkpoint_corrupt")

    def test_refuses_a_checkpoint_outside_the_folder(self) -> None:
        pipeline = json.loads((self.folder / "pipeline.json").read_text("utf-8"))
        for name in ("../other/ckpt", "/etc/ckpt"):
            pipeline["args"]["models"]["slat_flow_model"] = name
            (self.folder / "pipeline.json").write_text(json.dumps(pipeline), "utf-8")
            self.assertEqual(self.failure()["kind"], "checkpoint_corrupt")

    def test_the_first_error_is_told_not_the_loaders_retry(self) -> None:
        self.script({"at": "model:slat_flow", "do": "out_of_memory"})
        answer = self.failure()
        self.assertEqual(answer["kind"], "gpu_out_of_memory")
        self.assertNotIn("Repository Not Found", answer["traceback"])

    def test_a_broken_torch_is_reported_by_load(self) -> None:
        text = "libtorch_cuda.so: undefined symbol: ncclCommWindowRegister"
        (self.folder / "torch.json").write_text(json.dumps({"import": text}), "utf-8")
        answer = self.failure()
        self.assertEqual(answer["kind"], "extension_abi")
        self.assertIn("ncclCommWindowRegister", answer["message"])

    def test_a_driver_that_is_too_old(self) -> None:
        text = "The NVIDIA driver on your system is too old (found version 11040)."
        (self.folder / "cuda.json").write_text(json.dumps({"init": text}), "utf-8")
        self.assertEqual(self.failure()["kind"], "driver_too_old")

    def test_a_missing_package_is_named(self) -> None:
        self.script({"at": "import", "do": "raise", "type": "ModuleNotFoundError", "text": "spconv"})
        answer = self.failure()
        self.assertEqual(answer["kind"], "extension_missing")
        self.assertIn("`spconv`", answer["message"])

    def test_an_encoder_that_is_not_pinned_is_an_offline_attempt(self) -> None:
        (self.folder / "torch" / "hub" / "facebookresearch_dinov2_main" / "hubconf.py").unlink()
        answer = self.failure()
        self.assertEqual(answer["kind"], "offline_download_attempt")
        self.assertIn("https://github.com/facebookresearch/dinov2", answer["message"])

    def test_a_warm_up_finds_a_library_without_code_for_the_gpu(self) -> None:
        text = "CUDA error: no kernel image is available for execution on the device"
        self.script({"at": "sparse_structure", "do": "raise", "type": "RuntimeError", "text": text})
        answer = self.start().load(warm_up=True)
        self.assertEqual((answer["type"], answer["kind"]), ("failed", "no_kernel_image"))

    def test_a_warm_up_that_fails_over_its_picture_is_no_failure(self) -> None:
        self.script({"at": "decode", "do": "raise", "type": "ValueError", "text": "nothing there"})
        self.assertEqual(self.start().load(warm_up=True)["type"], "loaded")

    def test_what_stays_is_not_walked_through_after_each_job(self) -> None:
        program = (
            "import gc, pathlib, socket, sys\n"
            "from trellis_worker import channel, protocol, quality, session\n"
            "ours = session.Session(channel.Channel(socket.socketpair()[0]))\n"
            "ours._import_torch()\n"
            "folder = pathlib.Path(sys.argv[1])\n"
            "load = protocol.Load('trellis-image-large', folder, quality.Quality.EXACT, False, None)\n"
            "ours._start_engine(load, lambda *_: None)\n"
            "walked, kept = len(gc.get_objects()), gc.get_freeze_count()\n"
            "assert walked < kept, (walked, kept)\n"
        )
        folder = str(self.folder)
        places = ":".join(map(str, [ROOT / "worker", *PLACES]))
        done = subprocess.run(
            [sys.executable, "-c", program, folder],
            env={"PYTHONPATH": places, "TRELLIS_MODEL_PATH": folder, "TORCH_HOME": f"{folder}/torch"},
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stderr)


class Warnings(unittest.TestCase):
    def test_missing_notebook_widgets_are_not_worth_a_word(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            ignore_notebooks()
            warnings.warn("Error importing kaolin.visualize.ipython:\nTraceback", stacklevel=1)
            with self.assertRaises(UserWarning):
                warnings.warn("Error importing kaolin.ops", stacklevel=1)
