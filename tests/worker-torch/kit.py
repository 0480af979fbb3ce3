"""A worker with the real torch, pictures, and a model folder with true checkpoints."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = Path(os.environ["TRELLIS_TEST_PACKAGES"])
sys.path.insert(0, str(ROOT / "worker"))

# Imported first: a test that swaps modules would import it a second time.
with contextlib.suppress(ImportError):
    importlib.import_module("scipy.sparse.csgraph")

# The kit of the worker's own tests, which has this file's name.
_spec = importlib.util.spec_from_file_location("worker_kit", ROOT / "worker" / "tests" / "kit.py")
assert _spec is not None and _spec.loader is not None
worker_kit = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(worker_kit)
# Importing torch from a cold disk.
worker_kit.LIMIT_SECONDS = 300


def disc(path: Path) -> None:
    """A picture of an object on nothing."""
    from PIL import Image, ImageDraw

    picture = Image.new("RGBA", (96, 96), (0, 0, 0, 0))
    ImageDraw.Draw(picture).ellipse((16, 16, 80, 80), fill=(200, 90, 40, 255))
    picture.save(path, "PNG")


def read(checkpoint: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return dict(load_file(checkpoint))


def write(checkpoint: Path, tensors: dict[str, Any]) -> None:
    from safetensors.torch import save_file

    save_file(tensors, checkpoint)


class TorchCase(worker_kit.WorkerCase):
    """The worker with the stand-in for TRELLIS over real tensors, on the CPU."""

    places = [worker_kit.FAKE, PACKAGES]
    variables = {"TRELLIS_WORKER_DEVICE": "cpu"}
    checkpoint = "ckpts/ss_flow"

    def setUp(self) -> None:
        super().setUp()
        disc(self.folder / "picture")

    def refused(self) -> dict[str, Any]:
        """Why loading fails."""
        answer = self.start().load()
        self.assertEqual(answer["type"], "failed", answer)
        return dict(answer)

    def file(self) -> Path:
        return self.folder / f"{self.checkpoint}.safetensors"

    def cut(self, keep: int) -> None:
        content = self.file().read_bytes()
        self.file().write_bytes(content[:keep])
