"""S3-compatible storage, `s3s-fs`, and the weather between it and the servers."""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import re
import shutil
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

KEY, SECRET, BUCKET = "AKIATRELLISTEST", "hunter2/of+the=storage", "studio"
TOO_MUCH = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"


def program() -> str | None:
    """Where tests/setup puts it, or in PATH."""
    ours = Path(__file__).resolve().parents[2] / "target/tools/bin/s3s-fs"
    return str(ours) if ours.exists() else shutil.which("s3s-fs")


class Weather(BaseHTTPRequestHandler):
    """Passes a request on, as the weather lets it."""

    protocol_version = "HTTP/1.1"
    storage: Storage

    def handle(self) -> None:
        # The server was killed, or has given up.
        with contextlib.suppress(ConnectionError):
            super().handle()

    def pass_on(self) -> None:
        self.close_connection = False
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        what = self.storage.next_turn()
        if what == "slow":
            time.sleep(random.uniform(0.5, 3))
        elif what == "cut":
            self.close_connection = True
            return
        # Half of what is refused was done all the same.
        done = what != "refuse" or random.random() < 0.5
        status, headers, text = self.ask(body) if done else (503, [], b"")
        if what == "refuse":
            self.answer(503, [("content-type", "application/xml")], TOO_MUCH)
        elif what == "lose":
            self.close_connection = True
        elif what == "tear":
            self.answer(status, headers, text, len(text) // 2)
            self.close_connection = True
        else:
            self.answer(status, headers, text)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = pass_on

    def ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        """The storage's own answer; the host is the one that the request was signed for."""
        connection = http.client.HTTPConnection("127.0.0.1", self.storage.port, timeout=60)
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            connection.putheader(name, value)
        connection.endheaders(body or None)
        answer = connection.getresponse()
        text = answer.read()
        ours = ("transfer-encoding", "connection")
        headers = [(name, value) for name, value in answer.getheaders() if name.lower() not in ours]
        connection.close()
        return answer.status, headers, text

    def answer(self, status: int, headers: list[tuple[str, str]], text: bytes, sent: int | None = None) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() != "content-length" or self.command == "HEAD":
                self.send_header(name, value)
        if self.command != "HEAD" and status != 204:
            self.send_header("content-length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text[:sent])

    def log_message(self, *_: object) -> None:
        pass


class Storage:
    """The server with one bucket, and the way to it."""

    def __init__(self, folder: Path, host: str) -> None:
        (folder / "kept" / BUCKET).mkdir(parents=True)
        self.turns = ["fair"]
        self.lock = threading.Lock()
        self.seen: dict[str, int] = {}
        found = program()
        assert found
        command = [found, "--host", "127.0.0.1", "--port", "0", "--access-key", KEY, "--secret-key", SECRET]
        log = folder / "log"
        with log.open("wb") as output:
            command.append(str(folder / "kept"))
            environment = dict(os.environ) | {"RUST_LOG": "info"}
            self.process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
        self.port = self.wait(log)
        self.way = ThreadingHTTPServer((host, 0), type("OfThis", (Weather,), {"storage": self}))
        self.way.daemon_threads = True
        threading.Thread(target=self.way.serve_forever, daemon=True).start()
        credentials = folder / "credentials"
        credentials.write_text(f"[default]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n")
        credentials.chmod(0o600)
        address = f"http://{host}:{self.way.server_address[1]}"
        place = f"s3://{BUCKET}/below/here?endpoint={address}&region=us-east-1"
        self.flags = ["--blobs", place, "--blobs-credentials-file", str(credentials)]

    def wait(self, log: Path) -> int:
        for _ in range(600):
            if found := re.search(r"http://127\.0\.0\.1:(\d+)", log.read_text(errors="replace")):
                return int(found[1])
            time.sleep(0.1)
        raise RuntimeError(log.read_text(errors="replace"))

    def next_turn(self) -> str:
        with self.lock:
            turn = random.choice(self.turns)
            self.seen[turn] = self.seen.get(turn, 0) + 1
            return turn

    def becomes(self, *turns: str) -> None:
        """From now on each request has one of these turns."""
        with self.lock:
            self.turns, self.seen = list(turns), {}

    def stop(self) -> None:
        self.way.shutdown()
        self.process.kill()
        self.process.wait()
