"""Starts a real worker with the stand-in for TRELLIS and speaks to it as the supervisor does."""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any, ClassVar

ROOT = Path(__file__).resolve().parents[2]
FAKE = ROOT / "tests" / "fake_trellis"
MESSAGES = ROOT / "crates" / "trellis-supervisor" / "src" / "protocol" / "messages"
LIMIT_SECONDS = 30
# Beside the worker's own code.
PLACES = [FAKE, FAKE / "without_torch", FAKE / "without_libs"]
sys.path.insert(0, str(FAKE))
import model  # noqa: E402 the stand-in's folder is only now on the path

PNG = (
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
    + struct.pack(">IIBBBBB", 64, 64, 8, 6, 0, 0, 0)
    + b"\0\0\0\0IEND\xaeB`\x82"
)
JOB = "01890a5d-ac96-774b-bcce-b302099a8057"


class Recorded:
    """In the place of a flow that is recorded: counts how often it is to forget."""

    def __init__(self) -> None:
        self.forgot = 0

    def forget(self) -> None:
        self.forgot += 1


def snapshot(name: str) -> Any:
    """A message as the Rust side writes it."""
    text = (MESSAGES / f"{name}.snap").read_text("utf-8")
    return json.loads(text.split("---\n", 2)[2])


class Worker:
    """A worker process and the server's end of its socket."""

    def __init__(self, folder: Path, places: list[Path], variables: dict[str, str]) -> None:
        self.folder = folder
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(LIMIT_SECONDS)
        log = (folder / "stderr.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "trellis_worker"],
            stdin=theirs,
            stdout=subprocess.DEVNULL,
            stderr=log,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": ":".join(map(str, [ROOT / "worker", *places])),
                "TRELLIS_WORKER_FD": "0",
                "TRELLIS_WORKER_PARENT": str(os.getpid()),
                "TRELLIS_MODEL_PATH": str(folder),
                "TORCH_HOME": str(folder / "torch"),
                **variables,
            },
            start_new_session=True,
        )
        theirs.close()
        log.close()

    def send(self, message: dict[str, Any]) -> None:
        body = json.dumps(message).encode("utf-8")
        self.socket.sendall(len(body).to_bytes(4, "big") + body)

    def receive(self) -> dict[str, Any]:
        length = int.from_bytes(self._exactly(4), "big")
        return dict(json.loads(self._exactly(length)))

    def until(self, *types: str) -> dict[str, Any]:
        """The next message of one of these types."""
        while True:
            message = self.receive()
            if message["type"] in types:
                return message

    def _exactly(self, count: int) -> bytes:
        parts = bytearray()
        while len(parts) < count:
            part = self.socket.recv(count - len(parts))
            if not part:
                log = (self.folder / "stderr.log").read_text("utf-8", "replace")
                raise AssertionError(f"the worker closed the socket; its log:\n{log[-4000:]}")
            parts += part
        return bytes(parts)

    def load_message(self) -> dict[str, Any]:
        """A `load` of the model folder, with a warm-up. The faster ways need real tensors."""
        message = snapshot("to_worker.load")
        message.update(folder=str(self.folder), quality="exact")
        message["warm_up"]["quality"] = "exact"
        return dict(message)

    def load(self, **options: Any) -> dict[str, Any]:
        """Sends `load` and waits for the answer."""
        message = self.load_message()
        if not options.pop("warm_up", False):
            del message["warm_up"]
        self.send({**message, **options})
        return self.until("loaded", "failed")

    def is_quiet(self) -> bool:
        """Whether nothing waits to be read."""
        return not select.select([self.socket], [], [], 0)[0]

    def close(self) -> None:
        self.socket.close()
        try:
            self.process.wait(LIMIT_SECONDS)
        finally:
            self.process.kill()
            self.process.wait()


class WorkerCase(unittest.TestCase):
    """A test with a model folder of its own."""

    places: ClassVar[list[Path]] = PLACES
    variables: ClassVar[dict[str, str]] = {}

    def write_model(self) -> None:
        model.write(self.folder)

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="trellis-worker-test-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.write_model()
        (self.folder / "picture").write_bytes(PNG)

    def script(self, *rules: dict[str, Any]) -> None:
        (self.folder / "script.json").write_text(json.dumps(rules), "utf-8")

    def start(self) -> Worker:
        worker = Worker(self.folder, self.places, self.variables)
        self.addCleanup(worker.close)
        self.assertEqual(worker.receive()["type"], "hello")
        return worker

    def ready(self) -> Worker:
        worker = self.start()
        self.assertEqual(worker.load()["type"], "loaded")
        return worker

    def request(self, **changes: Any) -> dict[str, Any]:
        """A `generate` with an empty `out` folder; `changes` are to parameters, `pictures` counts, `latents`
        is the file of an earlier job, `mesh` that of a mesh to texture, and `keep_latents` has them kept."""
        out = Path(tempfile.mkdtemp(dir=self.folder))
        message = snapshot("to_worker.generate")
        pictures = [str(self.folder / "picture")] * changes.pop("pictures", 1)
        message.update(pictures=pictures, out=str(out), low_vram=changes.pop("low_vram", False))
        message["latents"], message["mesh"] = changes.pop("latents", None), changes.pop("mesh", None)
        message["keep_latents"] = changes.pop("keep_latents", False)
        message["params"].update({"quality": "exact", **changes})
        return dict(message)
