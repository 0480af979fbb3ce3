"""A real server in a folder of its own, and what a hostile client has to hand: sockets, pictures, its memory."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

MIB = 1 << 20


class Server:
    """`trellis serve` on a free port, with the preview backend alone unless another one is named, and with a data folder of
    its own unless it goes on with another's."""

    def __init__(
        self, program: str, *flags: str, files: int | None = None, backend: str = "relief", data: Path | None = None
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="attack-"))
        self.log = self.folder / "log"
        self.data = data or self.folder / "data"

        def limits() -> None:
            if files:
                resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

        command = [program, "serve", "--port", "0", "--backend", backend, "--data-dir", str(self.data), *flags]
        variables = {name: value for name, value in os.environ.items() if not name.startswith("TRELLIS_")}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, text=True, preexec_fn=limits, env=variables
            )
        self.port = self._port()

    def _port(self) -> int:
        assert self.process.stdout
        for line in self.process.stdout:
            if found := re.search(r"https?://(?:127\.0\.0\.1|localhost):(\d+)", line):
                return int(found.group(1))
        raise RuntimeError(f"the server did not start: {self.log.read_text()[-2000:]}")

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def raw(self, request: bytes) -> bytes:
        """The answer to the bytes of a request on a connection of its own, which the server closes."""
        with self.connect() as stream:
            stream.sendall(request)
            parts = []
            while part := stream.recv(65536):
                parts.append(part)
        return b"".join(parts)

    def status(self, method: str, path: str, *headers: str) -> int:
        lines = [f"{method} {path} HTTP/1.1", "connection: close", *headers, "", ""]
        answer = self.raw("\r\n".join(lines).encode())
        return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0

    def call(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, Any]:
        """Status and JSON of the answer to an honest client."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", body, names, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read() or b"null")

    def submit(self, picture: bytes, key: str | None = None, **params: Any) -> tuple[int, Any]:
        head = b'--cut\r\ncontent-disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
        asked = b'\r\n--cut\r\ncontent-disposition: form-data; name="params"\r\n\r\n' + json.dumps(params).encode()
        body = head + picture + (asked if params else b"") + b"\r\n--cut--\r\n"
        headers = {"authorization": f"Bearer {key}"} if key else {}
        return self.call("POST", "/v1/jobs", body, content_type="multipart/form-data; boundary=cut", **headers)

    def finished(self, job: str) -> dict[str, Any]:
        def ended() -> dict[str, Any] | None:
            _, body = self.call("GET", f"/v1/jobs/{job}")
            return body if body["state"] in ("succeeded", "failed", "cancelled") else None

        return until(f"the end of {job}", ended, 60)

    def health_seconds(self) -> float:
        """How long an honest client waits for the smallest answer."""
        began = time.monotonic()
        status, _ = self.call("GET", "/v1/health/live")
        assert status == 200, status
        return time.monotonic() - began

    def memory(self, field: str = "VmRSS") -> int:
        """Bytes that the process holds, or with `VmHWM` the most that it ever held."""
        found = re.search(rf"{field}:\s+(\d+) kB", Path(f"/proc/{self.process.pid}/status").read_text())
        assert found
        return int(found.group(1)) * 1024

    def forget_most_memory(self) -> None:
        """Has `VmHWM` count from now on."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def cancel_all(self) -> None:
        """Cancels what waits and what is worked on."""
        for state in ("queued", "running"):
            while jobs := self.call("GET", f"/v1/jobs?limit=100&state={state}")[1]["jobs"]:
                for job in jobs:
                    self.call("DELETE", f"/v1/jobs/{job['id']}")

    def terminate(self) -> float:
        """SIGTERM; the seconds until the end."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(120)
        return time.monotonic() - began


def until(what: str, found: Callable[[], Any], seconds: float) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if (value := found()) is not None:
            return value
        time.sleep(0.05)
    raise TimeoutError(f"{what} did not come in {seconds:.0f} s")


def noise(side: int) -> bytes:
    """A square PNG in colour that does not compress: three bytes a pixel."""
    return png(3 * side, side, noise=True, samples=3)


def png(
    width: int, height: int, chunks: tuple[tuple[bytes, bytes], ...] = (), noise: bool = False, samples: int = 1
) -> bytes:
    """A PNG: a dark object on light ground; `noise` does not compress. `width` counts samples."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    squeeze = zlib.compressobj(1)
    pixels = b""
    for y in range(height):
        inside = height // 4 <= y < 3 * height // 4
        row = bytes([60 if inside else 240]) * (width - 2 * (width // 4))
        row = bytes([240]) * (width // 4) + row + bytes([240]) * (width // 4)
        pixels += squeeze.compress(b"\0" + (os.urandom(width) if noise else row))
    pixels += squeeze.flush()
    header = struct.pack(">IIBBBBB", width // samples, height, 8, 2 if samples == 3 else 0, 0, 0, 0)
    before = b"".join(chunk(name, content) for name, content in chunks)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + before + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
