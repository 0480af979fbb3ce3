"""Microsoft's own classes with tiny checkpoints, as far as they go without a GPU."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

from kit import PACKAGES, ROOT, TorchCase, read, write

TINY = ROOT / "tests" / "tiny_trellis"
SOURCES = [os.environ.get(name) for name in ("TRELLIS_SOURCE", "FLEXICUBES_SOURCE", "UTILS3D_SOURCE")]
ATTENTION = {"ATTN_BACKEND": "sdpa", "SPARSE_ATTN_BACKEND": "xformers", "SPARSE_BACKEND": "spconv"}


@unittest.skipUnless(all(SOURCES), "TRELLIS_SOURCE, FLEXICUBES_SOURCE and UTILS3D_SOURCE name no checkouts")
@unittest.skipUnless(importlib.util.find_spec("rembg"), "rembg, which TRELLIS imports, is not installed")
class RealTrellis(TorchCase):
    variables = {**TorchCase.variables, **ATTENTION, "SPCONV_ALGO": "native"}
    made: Path

    @classmethod
    def setUpClass(cls) -> None:
        folder = tempfile.TemporaryDirectory(prefix="trellis-tiny-")
        cls.addClassCleanup(folder.cleanup)
        cls.made = Path(folder.name)
        trellis, flexicubes, utils3d = SOURCES
        subprocess.run([TINY / "source.sh", trellis, flexicubes, cls.made / "source", "cpu"], check=True)
        cls.places = [cls.made / "source", TINY / "stand_ins", Path(str(utils3d)), PACKAGES]
        variables = {"PATH": os.environ["PATH"], "PYTHONPATH": ":".join(map(str, cls.places)), **ATTENTION}
        command = [sys.executable, "-W", "ignore", TINY / "model.py", cls.made / "model"]
        subprocess.run(command, env=variables, stdout=subprocess.DEVNULL, check=True)

    def setUp(self) -> None:
        super().setUp()
        for name in ("ckpts", "torch"):
            shutil.rmtree(self.folder / name)
        shutil.copytree(self.made / "model", self.folder, dirs_exist_ok=True)

    def corrupt(self) -> dict[str, Any]:
        answer = self.refused()
        self.assertEqual(answer["kind"], "checkpoint_corrupt", answer["traceback"])
        self.assertIn(f"checkpoint `{self.checkpoint}`", answer["message"])
        return answer

    def test_a_cut_file_and_a_wrong_key_are_corrupt(self) -> None:
        tensors = read(self.file())
        self.cut(self.file().stat().st_size - 1)
        self.corrupt()
        first = sorted(tensors)[0]
        write(self.file(), {name: tensor for name, tensor in tensors.items() if name != first})
        self.assertIn(first, self.corrupt()["message"])

    def test_a_job_goes_to_the_first_sparse_convolution(self) -> None:
        worker = self.ready()
        worker.send(self.request(formats=["gaussian_ply"], ss_sampling_steps=3))
        seen = []
        while (message := worker.until("progress", "done", "failed"))["type"] == "progress":
            seen.append((message["stage"], message["step"], message["total"]))
        self.assertIn(("condition", 1, 1), seen)
        steps = [step for stage, step, total in seen if (stage, total) == ("sparse_structure", 3)]
        self.assertEqual(steps, [0, 1, 2, 3])
        # spconv has no such code for processors.
        self.assertIn("in stage `structured_latent`", message["message"])
        self.assertIn("support cpu", message["message"])
