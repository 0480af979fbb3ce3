"""A worker that speaks the protocol and means no good: what it does with a job stands in `DEEDS`, by the job's seed.

Run in the place of Python by the server: `hostile_worker.py` and whatever an interpreter is given.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ODD = "\x1b]0;owned\x07\x1b[2J\u202e\u009b31m"

Send = Callable[..., None]


def frames(line: socket.socket) -> Any:
    """The supervisor's messages."""
    stream = line.makefile("rb")
    while len(head := stream.read(4)) == 4:
        yield json.loads(stream.read(int.from_bytes(head, "big")))


def glb(corner: float, count: int = 3) -> bytes:
    """A triangle with that corner, of which so many vertices count."""
    body = struct.pack("<9f", 0, 0, 0, 1, 0, 0, 0, corner, 1)
    document = {
        "asset": {"version": "2.0"},
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
        "buffers": [{"byteLength": len(body)}],
        "bufferViews": [{"buffer": 0, "byteLength": len(body)}],
        "accessors": [{"bufferView": 0, "componentType": 5126, "count": count, "type": "VEC3"}],
    }
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(body), b"BIN\0") + body
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


def leaves(put: Callable[[Path], object], size: int | None = None) -> Callable[[Send, str, Path], None]:
    """Puts something in the place of the GLB, and says that it is done."""

    def deed(send: Send, job: str, out: Path) -> None:
        path = out / "model.glb"
        put(path)
        told = path.stat().st_size if size is None else size
        send("artifact", job=job, name=path.name, format="glb", size_bytes=told)
        done(send, job)

    return deed


def done(send: Send, job: str, **more: Any) -> None:
    message = {"stages": [], "peak_vram_bytes": 0, "vram_bytes": 0, "rss_bytes": 0, "notes": [], **more}
    send("done", job=job, **message)


def writes(content: bytes) -> Callable[[Send, str, Path], None]:
    return leaves(lambda path: path.write_bytes(content))


def fails_loudly(send: Send, job: str, _out: Path) -> None:
    words = ODD + "x" * 300_000
    report = {"message": words, "causes": [ODD * 40] * 5000, "traceback": words, "replace": False}
    print(words, file=sys.stderr, flush=True)
    send("failed", job=job, kind="internal", **report)


def notes_much(send: Send, job: str, out: Path) -> None:
    path = out / "model.glb"
    path.write_bytes(glb(1))
    send("artifact", job=job, name=path.name, format="glb", size_bytes=path.stat().st_size)
    done(send, job, notes=[f"{number} {ODD}" for number in range(10_000)], peak_vram_bytes=1 << 63, rss_bytes=1 << 63)


def lists_much(send: Send, job: str, _out: Path) -> None:
    for number in range(20_000):
        send("artifact", job=job, name=f"{number}.glb", format="glb", size_bytes=1)
    done(send, job)


def samples(put: Callable[[Path], object], size: int | None = None) -> Callable[[Send, str, Path], None]:
    """A good GLB, and something in the place of what was sampled."""

    def deed(send: Send, job: str, out: Path) -> None:
        path = out / "latents.safetensors"
        put(path)
        told = path.stat().st_size if size is None else size
        send("latents", job=job, name=path.name, size_bytes=told)
        writes(glb(1))(send, job, out)

    return deed


def is_deaf(_send: Send, _job: str, _out: Path) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(3600)


# By the seed of the job, from 1.
DEEDS: dict[str, Callable[[Send, str, Path], None]] = {
    "pipe": leaves(os.mkfifo),
    "link": leaves(lambda path: path.symlink_to("/etc/passwd")),
    "device": leaves(lambda path: path.symlink_to("/dev/zero")),
    "folder": leaves(Path.mkdir),
    "sparse": leaves(sparse),
    "text": writes(b"21 bytes of some text"),
    "short": writes(glb(1)[:-1]),
    "nan": writes(glb(float("nan"))),
    "far": writes(glb(1e30)),
    "empty": writes(glb(1, 0)),
    "failure": fails_loudly,
    "notes": notes_much,
    "files": lists_much,
    "fine": writes(glb(1)),
    "deaf": is_deaf,
    "latents_pipe": samples(os.mkfifo),
    "latents_link": samples(lambda path: path.symlink_to("/etc/passwd")),
    "latents_device": samples(lambda path: path.symlink_to("/dev/zero")),
    "latents_large": samples(sparse),
    "latents_grown": samples(sparse, 100),
    "latents_text": samples(lambda path: path.write_text("no tensors")),
}


def main() -> None:
    if "TRELLIS_WORKER_FD" not in os.environ:
        # The server asks the interpreter something.
        os.execvp("python3", ["python3", *sys.argv[1:]])
    line = socket.socket(fileno=os.dup(int(os.environ["TRELLIS_WORKER_FD"])))

    def send(kind: str, **fields: Any) -> None:
        body = json.dumps({"type": kind, **fields}).encode()
        line.sendall(len(body).to_bytes(4, "big") + body)

    send("hello", protocol=2, versions={"python": ODD + "v" * 100_000})
    for message in frames(line):
        match message["type"]:
            case "load":
                send("loaded", load_ms=1, vram_bytes=1 << 63, low_vram=False, determinism=[ODD] * 5000)
            case "generate":
                deed = list(DEEDS.values())[message["params"]["seed"] - 1]
                deed(send, message["job"], Path(message["out"]))
            case "ping":
                send("pong", rss_bytes=0, vram_bytes=0)
            case "shutdown":
                return


if __name__ == "__main__":
    main()
