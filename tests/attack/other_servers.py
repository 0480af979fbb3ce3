"""Servers that mean no good to `trellis generate --server`."""

from __future__ import annotations

import copy
import json
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from server import Server, png
from withstood import holds
from workers import is_odd

ODD = "\x1b]0;owned\x07\x1b[2J\u202e"


@dataclass
class Answers:
    """What a hostile server says: a real job, changed, and the bytes of its file."""

    job: dict[str, Any]
    file: bytes
    redirect: str = ""
    endless: bool = False
    asked: list[str] = field(default_factory=list)


class Hostile(BaseHTTPRequestHandler):
    answers: Answers

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def send(self, body: bytes, kind: str = "application/json", status: int = 200) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        answers, path = self.answers, self.path
        answers.asked.append(path)
        if answers.redirect:
            self.send_response(307)
            self.send_header("location", answers.redirect)
            self.end_headers()
        elif path == "/v1/version":
            self.send(json.dumps({"backends": [{"name": ODD, "description": ODD + "x" * 100_000}]}).encode())
        elif path.startswith("/v1/jobs?"):
            self.send(b'{"jobs": []}')
        elif path.endswith("/events"):
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            while answers.endless:
                self.wfile.write(b"data: {}\n\n" * 10_000)
        elif path.endswith("/statement") or "/artifacts/" in path:
            self.send(answers.file, "application/octet-stream")
        else:
            self.send(json.dumps(answers.job).encode())

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        if self.answers.redirect:
            self.do_GET()
        else:
            self.send(json.dumps(self.answers.job).encode(), status=202)

    do_DELETE = do_GET


class Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that leaves is no news."""


@contextmanager
def serving(answers: Answers) -> Iterator[str]:
    handler = type("Handler", (Hostile,), {"answers": answers})
    with Quiet(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def real_job(program: str) -> tuple[dict[str, Any], bytes]:
    with Server(program) as server:
        _, job = server.submit(png(64, 64))
        job = server.finished(job["id"])
        name = job["artifacts"][0]["name"]
        answer = server.raw(
            f"GET /v1/jobs/{job['id']}/artifacts/{name} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode()
        )
    return job, answer.split(b"\r\n\r\n", 1)[1]


def lies(job: dict[str, Any], file: bytes, elsewhere: str) -> dict[str, Answers]:
    """Ways to lie, by name; `fine` is none."""

    def changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        other = copy.deepcopy(job)
        change(other)
        return other

    statement = {"name": "x./../../escaped", "media_type": "a/b", "size_bytes": len(file)}
    statement |= {"sha256": job["artifacts"][0]["sha256"], "signed_by": "key-1"}
    failure = {"kind": "internal", "message": ODD + "x" * 100_000, "fix": ODD + "\nerror: no"}
    return {
        "fine": Answers(job, file),
        "a name that leads elsewhere": Answers(changed(lambda j: j["artifacts"][0].update(name="../../escaped")), file),
        "a statement that leads elsewhere": Answers(changed(lambda j: j.update(statement=statement)), file),
        "other bytes": Answers(job, file[:-1] + b"x"),
        "more bytes": Answers(job, file + b"x" * 10_000_000),
        "fewer bytes": Answers(job, file[:-1]),
        "a size without measure": Answers(changed(lambda j: j["artifacts"][0].update(size_bytes=1 << 62)), file),
        "events without end": Answers(changed(lambda j: j.update(state="running")), file, endless=True),
        "another address": Answers(job, file, redirect=elsewhere),
        "a failure with escape sequences": Answers(changed(lambda j: j.update(state="failed", failure=failure)), file),
        "JSON without end": Answers(changed(lambda j: j.update(notes=["x" * 6_000_000])), file),
    }


def hostile_servers(program: str) -> str:
    """servers that name paths, send other bytes, redirect, never end or write escape sequences, to `trellis generate`"""
    job, file = real_job(program)
    third = Answers(job, file)
    slowest = 0.0
    with serving(third) as elsewhere, tempfile.TemporaryDirectory() as name:
        home = Path(name)
        (home / "photo.png").write_bytes(png(64, 64))
        for lie, answers in lies(job, file, elsewhere).items():
            out = home / lie / "out"
            out.mkdir(parents=True)
            command = [str(Path(program).resolve()), "generate", "photo.png", "-o", str(out / "x.glb"), "--statement", "--server"]
            began = time.monotonic()
            with serving(answers) as address:
                ended = subprocess.run([*command, address], cwd=home, capture_output=True, timeout=120, check=False)
            slowest = max(slowest, time.monotonic() - began)
            said = ended.stdout.decode() + ended.stderr.decode()
            left = sorted(str(path.relative_to(home / lie)) for path in (home / lie).rglob("*") if path.is_file())
            fine = lie == "fine"
            holds((ended.returncode == 0) == fine, f"{lie}: {ended.returncode}, {said}")
            holds(left == (["out/x.glb"] if fine else []), f"{lie}: it left {left}")
            odd = {letter for letter in said if is_odd(letter)}
            holds(not odd and len(said) < 10_000, f"{lie}: {len(said)} characters, {odd}")
        holds(sorted(path.name for path in home.glob("*escaped*")) == [], "a file was written elsewhere")
    holds(third.asked == [], f"the other address was asked for {third.asked}")
    return f"ten ways to lie ended with a sentence within {slowest:.0f} s; nothing was written or asked elsewhere"


ATTACKS: list[Callable[[str], str]] = [hostile_servers]
