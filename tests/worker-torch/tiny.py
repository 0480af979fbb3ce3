"""A worker with TRELLIS.2's own classes, tiny, on the CPU.

TRELLIS2_SOURCE names a checkout of microsoft/TRELLIS.2; the packages must have transformers.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

from kit import PACKAGES, ROOT, TorchCase, disc

TINY = ROOT / "tests" / "tiny_trellis2"
SOURCE = os.environ.get("TRELLIS2_SOURCE")
VARIABLES = {
    "ATTN_BACKEND": "sdpa",
    "SPARSE_ATTN_BACKEND": "flash_attn",
    "SPARSE_CONV_BACKEND": "flex_gemm",
}
# What rebuilds a surface here takes closed meshes only, whose faces look to one side (stand_ins/cumesh.py).
AS_IT_IS = {"remesh": False}
FEW_STEPS = {"ss_sampling_steps": 3, "shape_slat_sampling_steps": 2, "tex_slat_sampling_steps": 2}


def usual() -> dict[str, Any]:
    """A job's parameters for this model, as the server fills them in."""
    snapshot = ROOT / "crates/trellis-core/src/params/snapshots"
    text = (snapshot / "trellis_core__params__tests__defaults_are_trellis_own.snap").read_text("utf-8")
    return dict(json.loads(text.split("---\n", 2)[2])[1])


@unittest.skipUnless(SOURCE, "TRELLIS2_SOURCE names no checkout of microsoft/TRELLIS.2")
@unittest.skipUnless(importlib.util.find_spec("transformers"), "transformers is not installed")
class TinyCase(TorchCase):
    """A test of such a worker. What its models say is replaced by a sphere (tests/tiny_trellis2)."""

    # Of the sphere, in a cube of side 1.
    radius: float
    made: Path

    @classmethod
    def setUpClass(cls) -> None:
        cls.variables = {**cls.variables, **VARIABLES, "TRELLIS_SPHERE_RADIUS": str(cls.radius)}
        folder = tempfile.TemporaryDirectory(prefix="trellis2-tiny-")
        cls.addClassCleanup(folder.cleanup)
        cls.made = Path(folder.name)
        subprocess.run([TINY / "source.sh", str(SOURCE), cls.made / "source", "cpu"], check=True)
        cls.places = [cls.made / "source", TINY / "stand_ins", TINY / "attention", PACKAGES]
        # What an interpreter was given to find its packages by.
        cls.places += map(Path, filter(None, os.environ.get("PYTHONPATH", "").split(":")))
        variables = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": ":".join(map(str, cls.places)),
            **cls.variables,
        }
        command = [sys.executable, "-W", "ignore", TINY / "model.py", "--device", "cpu", cls.made / "model"]
        subprocess.run(command, env=variables, stdout=subprocess.DEVNULL, check=True)

    def write_model(self) -> None:
        """The folder of all tests, which none of them changes."""

    def setUp(self) -> None:
        super().setUp()
        disc(self.folder / "picture")

    def loaded(self) -> Any:
        worker = self.start()
        answer = worker.load(model="trellis2-4b", folder=str(self.made / "model"))
        self.assertEqual(answer["type"], "loaded", answer)
        return worker

    def job(self, **changes: Any) -> dict[str, Any]:
        request = self.request(low_vram=changes.pop("low_vram", False))
        return {**request, "params": {**usual(), **FEW_STEPS, **AS_IT_IS, **changes}}

    def run_job(self, worker: Any, request: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """How it ended, and the steps of each stage."""
        worker.send(request)
        steps: dict[str, list[tuple[int, int]]] = {}
        while (message := worker.until("progress", "done", "failed", "cancelled"))["type"] == "progress":
            steps.setdefault(message["stage"], []).append((message["step"], message["total"]))
        return message, steps
