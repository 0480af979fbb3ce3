"""What loading says of true and of damaged checkpoints."""

from __future__ import annotations

import json
import subprocess
import sys

from kit import PACKAGES, ROOT, TorchCase, read, worker_kit, write

TODAY = """
import os, sys
from trellis.pipelines import TrellisImageTo3DPipeline
try:
    TrellisImageTo3DPipeline.from_pretrained(sys.argv[1])
except Exception as error:
    print(error)
"""


class Loading(TorchCase):
    def test_true_checkpoints_are_loaded(self) -> None:
        pins = json.loads((ROOT / "nix" / "pins.json").read_text("utf-8"))
        worker = worker_kit.Worker(self.folder, self.places, self.variables)
        self.addCleanup(worker.close)
        hello = worker.receive()
        self.assertEqual(hello["versions"]["torch"], pins["torch"]["reports"])
        self.assertEqual(hello["versions"]["cuda"], pins["cuda"]["version"])
        self.assertEqual(worker.load()["type"], "loaded")

    def test_a_file_that_is_cut_short_is_corrupt(self) -> None:
        size = self.file().stat().st_size
        for keep in (0, 4, 40, size - 1):
            with self.subTest(keep=keep):
                worker_kit.model.write(self.folder)
                self.cut(keep)
                answer = self.refused()
                self.assertEqual(answer["kind"], "checkpoint_corrupt", answer["traceback"])
                self.assertIn(f"checkpoint `{self.checkpoint}`", answer["message"])

    def test_a_wrong_key_and_a_wrong_shape_are_corrupt(self) -> None:
        weight = read(self.file())["weight"]
        for tensors, word in (({"wait": weight}, "wait"), ({"weight": weight[:2].clone()}, "shape")):
            with self.subTest(word):
                write(self.file(), tensors)
                answer = self.refused()
                self.assertEqual(answer["kind"], "checkpoint_corrupt", answer["traceback"])
                self.assertIn(word, answer["message"])

    def test_an_unknown_class_is_corrupt(self) -> None:
        config = {"name": "NoSuchModel", "args": {}}
        (self.folder / f"{self.checkpoint}.json").write_text(json.dumps(config), "utf-8")
        self.assertEqual(self.refused()["kind"], "checkpoint_corrupt")

    def test_a_missing_file_is_missing(self) -> None:
        for ending in ("safetensors", "json"):
            with self.subTest(ending):
                worker_kit.model.write(self.folder)
                (self.folder / f"{self.checkpoint}.{ending}").unlink()
                answer = self.refused()
                self.assertEqual(answer["kind"], "checkpoint_missing")
                self.assertIn(f"`{self.checkpoint}.{ending}`", answer["message"])

    def test_an_allocator_without_memory_is_out_of_memory(self) -> None:
        self.script({"at": "model:ss_flow", "do": "no_memory"})
        answer = self.refused()
        self.assertEqual(answer["kind"], "gpu_out_of_memory", answer["traceback"])
        self.assertIn("2.00 GiB more were needed", answer["message"])

    def test_the_first_cause_is_told_and_not_that_of_the_second_try(self) -> None:
        self.cut(40)
        places = ":".join(map(str, [worker_kit.FAKE, PACKAGES]))
        today = subprocess.run(
            [sys.executable, "-c", TODAY, self.folder],
            env={
                "PYTHONPATH": places,
                "TRELLIS_MODEL_PATH": str(self.folder),
                "TORCH_HOME": str(self.folder),
            },
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        self.assertIn("Repository Not Found", today)
        answer = self.refused()
        self.assertEqual(answer["kind"], "checkpoint_corrupt")
        self.assertNotIn("Repository Not Found", json.dumps(answer))
