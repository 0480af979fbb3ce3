"""Servers of one job store, and what clients ask of them."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FINAL = {"succeeded", "failed", "cancelled"}


class Server:
    """The real program, in a data folder of its own."""

    def __init__(self, program: Path, folder: Path, role: str, flags: list[str], skew: str = "") -> None:
        self.program, self.folder, self.role, self.flags = program, folder, role, flags
        self.environment = dict(os.environ)
        if skew:
            self.environment |= {"LD_PRELOAD": faketime(), "FAKETIME": skew, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        self.starts = 0
        folder.mkdir()
        self.start()

    def start(self) -> None:
        self.starts += 1
        self.log = self.folder / f"log-{self.starts}"
        command = [str(self.program), "serve", "--data-dir", str(self.folder / "data"), "--role", self.role]
        command += ["--port", "0", *self.flags]
        if "--backend" not in self.flags and self.role != "api":
            command += ["--backend", "relief"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=self.environment)
        self.port = 0

    def address(self) -> int:
        """The port that it says it took."""
        for _ in range(1200):
            found = re.search(r"serves on http://127\.0\.0\.1:(\d+)", self.log.read_text(errors="replace"))
            if found:
                self.port = int(found[1])
                return self.port
            if self.process.poll() is not None:
                raise RuntimeError(self.log.read_text(errors="replace"))
            time.sleep(0.1)
        raise RuntimeError(f"{self.folder.name} does not come up: {self.log.read_text(errors='replace')}")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def pause(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)


def faketime() -> str:
    """The library, where it is here."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    return str(found[0]) if found else ""


class Unanswered(Exception):
    """Nobody knows what became of the request."""


def ask(
    server: Server, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", server.port or server.address(), timeout=30)
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise Unanswered(str(error)) from error


def until(what: str, seconds: float, such: Any) -> Any:
    deadline = time.monotonic() + seconds
    while True:
        try:
            found = such()
            if found:
                return found
        except Unanswered:
            pass
        if time.monotonic() > deadline:
            raise RuntimeError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.1)


def submit(servers: Iterator[Server], picture: bytes, key: str) -> str:
    """Asks one server after another under one key until the job is accepted."""
    form = (
        b'--cut\r\ncontent-disposition: form-data; name="image"; filename="a.png"\r\n\r\n' + picture + b"\r\n--cut--\r\n"
    )
    headers = {"content-type": "multipart/form-data; boundary=cut", "cache-control": "no-cache"}
    headers["idempotency-key"] = key

    def once() -> str | None:
        status, text = ask(next(servers), "POST", "/v1/jobs", form, headers)
        return json.loads(text)["id"] if status in (200, 202) else None

    return str(until(f"{key} is accepted", 120, once))


class Follower(threading.Thread):
    """Follows a job's events to their end, from server to server, and remembers their numbers."""

    def __init__(self, servers: Iterator[Server], job: str) -> None:
        super().__init__(daemon=True)
        self.servers, self.job = servers, job
        self.seen: list[int] = []
        self.states: list[str] = []
        self.over = False
        self.start()

    def run(self) -> None:
        deadline = time.monotonic() + 240
        while not self.over and time.monotonic() < deadline:
            try:
                self.follow()
            except (OSError, http.client.HTTPException, RuntimeError, ValueError):
                time.sleep(0.2)

    def follow(self) -> None:
        server = next(self.servers)
        connection = http.client.HTTPConnection("127.0.0.1", server.port or server.address(), timeout=20)
        headers = {"accept": "text/event-stream"}
        if self.seen:
            headers["last-event-id"] = str(self.seen[-1])
        connection.request("GET", f"/v1/jobs/{self.job}/events", headers=headers)
        answer = connection.getresponse()
        if answer.status == 204:
            self.over = True
        while answer.status == 200 and (line := answer.readline()):
            if line.startswith(b"data:"):
                event = json.loads(line[5:])
                self.seen.append(event["seq"])
                if event["type"] == "state":
                    self.states.append(event["state"])
                    self.over = event["state"] in FINAL
        connection.close()


def damage(server: Server, job: dict[str, Any]) -> str:
    """What is wrong with the files of a job that succeeded."""
    for artifact in job["artifacts"]:
        status, content = ask(server, "GET", f"/v1/jobs/{job['id']}/artifacts/{artifact['name']}")
        if status != 200 or hashlib.sha256(content).hexdigest() != artifact["sha256"]:
            return f"{artifact['name']} of {job['id']}: {status}, {len(content)} bytes"
    return "" if job["artifacts"] else f"{job['id']} has no file"
