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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from disk import Disk
from network import Machine

FINAL = {"succeeded", "failed", "cancelled"}

DISK_MEBIBYTES = 64


class Server:
    """The real program, in a data folder of its own."""

    def __init__(self, program: Path, folder: Path, machine: Machine, role: str, flags: list[str]) -> None:
        self.program, self.folder, self.machine, self.role, self.flags = program, folder, machine, role, flags
        self.skew = ""
        self.starts = 0
        folder.mkdir()
        # Its files of running jobs are there, and its log is not.
        self.disk = Disk(folder / "disk", DISK_MEBIBYTES) if role == "worker" else None
        self.data = (self.disk.folder if self.disk else folder) / "data"
        self.start()

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def store_name(self) -> str:
        """What it is called in the job store."""
        return (self.data / "server-name").read_text().strip()

    def start(self) -> None:
        self.starts += 1
        self.log = self.folder / f"log-{self.starts}"
        command = [
            str(self.program),
            "serve",
            "--data-dir",
            str(self.data),
            "--role",
            self.role,
            *self.flags,
        ]
        if self.role == "api":
            command += ["--host", self.machine.front, "--port", "0"]
            command += ["--insecure-no-auth"] if self.machine.number is not None else []
        else:
            command += ["--backend", "relief"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TRELLIS_")}
        if self.skew:
            environment |= {"LD_PRELOAD": faketime(), "FAKETIME": self.skew, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(self.machine.command(command), stdout=log, stderr=log, env=environment)
        self.port = 0

    def address(self) -> int:
        """The port that it says it took."""
        for _ in range(1200):
            found = re.search(r"serves on http://[\d.]+:(\d+)", self.log.read_text(errors="replace"))
            if found:
                self.port = int(found[1])
                return self.port
            if self.process.poll() is not None:
                raise RuntimeError(self.log.read_text(errors="replace"))
            time.sleep(0.1)
        raise RuntimeError(f"{self.name} does not come up: {self.log.read_text(errors='replace')}")

    def connection(self, timeout: float) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.machine.front, self.port or self.address(), timeout=timeout)

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


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    content: bytes

    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.content))


def ask(
    server: Server,
    what: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
    timeout: float = 30,
) -> Answer:
    try:
        connection = server.connection(timeout)
        method, path = what.split(" ", 1)
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())
    except (OSError, http.client.HTTPException) as error:
        raise Unanswered(str(error)) from error


def until(what: str, seconds: float, such: Callable[[], Any]) -> Any:
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


def submit_once(server: Server, picture: bytes, key: str, timeout: float = 30) -> Answer:
    form = (
        b'--cut\r\ncontent-disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
        + picture
        + b"\r\n--cut--\r\n"
    )
    headers = {"content-type": "multipart/form-data; boundary=cut", "cache-control": "no-cache"}
    headers["idempotency-key"] = key
    return ask(server, "POST /v1/jobs", form, headers, timeout)


def submit(servers: Iterator[Server], picture: bytes, key: str, refused: list[str]) -> str:
    """Asks one server after another until the job is accepted; what is wrong with refusals joins `refused`."""

    def once() -> str | None:
        answer = submit_once(next(servers), picture, key)
        if answer.status in (200, 202):
            return str(answer.json()["id"])
        if wrong := wrong_refusal(answer):
            refused.append(wrong)
        return None

    return str(until(f"{key} is accepted", 120, once))


def wrong_refusal(answer: Answer) -> str:
    """What is wrong with how a client is told that this is not the time; nothing where it is told well."""
    said = f"{answer.status} {answer.content[:300]!r}"
    if answer.status not in (503, 507):
        return f"refused with {said}"
    if not (answer.headers.get("retry-after") or "").isdigit():
        return f"refused without Retry-After: {said}"
    problem = answer.json()
    if not all(problem.get(word) for word in ("type", "detail", "fix")):
        return f"refused without a word on what to do: {said}"
    if re.search(r"PANIC|SQLSTATE|code [0-9A-Z]{5}|/var/", str(problem)):
        return f"refused in the database's words: {said}"
    return ""


class Follower(threading.Thread):
    """Follows a job's events to their end, from server to server, and remembers them."""

    def __init__(self, servers: Iterator[Server], job: str) -> None:
        super().__init__(daemon=True)
        self.servers, self.job = servers, job
        self.seen: list[int] = []
        self.events: dict[int, dict[str, Any]] = {}
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
        connection = next(self.servers).connection(20)
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
                self.events[event["seq"]] = event
                if event["type"] == "state":
                    self.states.append(event["state"])
                    self.over = event["state"] in FINAL
        connection.close()


def damage(server: Server, job: dict[str, Any]) -> str:
    """What is wrong with the files of a job that succeeded."""
    for artifact in job["artifacts"]:
        answer = ask(server, f"GET /v1/jobs/{job['id']}/artifacts/{artifact['name']}")
        if answer.status == 503:
            raise Unanswered(artifact["name"])
        if answer.status != 200 or hashlib.sha256(answer.content).hexdigest() != artifact["sha256"]:
            return f"{artifact['name']} of {job['id']}: {answer.status}, {len(answer.content)} bytes"
    return "" if job["artifacts"] else f"{job['id']} has no file"
