"""A PostgreSQL and servers of one job store on this machine, as the measurements use them.

Those of tests/cluster are made to be cut off, slowed down and filled up; these have the disk and the network to themselves.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from jobs import FORM_HEADERS, form

BIN = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))[-1]
SETTINGS = ["listen_addresses=", "max_connections=80", "wal_keep_size=256MB", "max_parallel_workers_per_gather=0"]
Found = TypeVar("Found")


def as_its_user(command: list[str]) -> list[str]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return command
    return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--", *command]


def until(what: str, seconds: float, such: Callable[[], Found]) -> Found:
    deadline = time.monotonic() + seconds
    while not (found := such()):
        if time.monotonic() > deadline:
            raise RuntimeError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.1)
    return found


class Postgres:
    """A database, reached by a socket in its folder."""

    def __init__(self, folder: Path, settings: tuple[str, ...] = ()) -> None:
        self.folder, self.data, self.settings = folder, folder / "data", settings
        self.process: subprocess.Popen[bytes] | None = None
        folder.mkdir()
        folder.chmod(0o777)

    @property
    def url(self) -> str:
        return f"postgres://trellis@{str(self.folder).replace('/', '%2F')}/postgres"

    def call(self, program: str, *arguments: str) -> str:
        command = as_its_user([str(BIN / program), *arguments])
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{program}: {done.stderr}")
        return done.stdout.strip()

    def ask(self, statement: str) -> str:
        return self.call("psql", "-h", str(self.folder), "-U", "trellis", "-d", "postgres", "-Atqc", statement)

    def begin(self) -> None:
        """An empty one."""
        self.call("initdb", "--auth=trust", "--username=trellis", "--no-sync", "--no-instructions", "-D", str(self.data))
        with (self.data / "pg_hba.conf").open("a") as rules:
            rules.write("local replication trellis trust\n")
        self.start()

    def follow(self, primary: Postgres) -> None:
        """A synchronous standby of that one."""
        self.call("pg_basebackup", "-h", str(primary.folder), "-U", "trellis", "-D", str(self.data), "-R", "-X", "stream")
        self.start()
        primary.ask("ALTER SYSTEM SET synchronous_standby_names = '*'")
        primary.ask("SELECT pg_reload_conf()")
        synchronous = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
        until("the standby follows", 60, lambda: primary.ask(synchronous) == "1")

    def start(self) -> None:
        command = [str(BIN / "postgres"), "-D", str(self.data), "-c", f"unix_socket_directories={self.folder}"]
        for setting in (*SETTINGS, *self.settings):
            command += ["-c", setting]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(as_its_user(command), stdout=log, stderr=log)
        ready = [str(BIN / "pg_isready"), "-q", "-h", str(self.folder)]
        until("PostgreSQL answers", 60, lambda: subprocess.run(ready, check=False).returncode == 0)

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait()


class Server:
    """The real program, in a data folder of its own."""

    def __init__(self, program: Path, folder: Path, role: str, flags: list[str]) -> None:
        self.log, self.port = folder / "log", 0
        folder.mkdir()
        command = [str(program), "serve", "--data-dir", str(folder / "data"), "--role", role, "--port", "0", *flags]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def wait(self) -> None:
        """Until it says where it answers."""

        def address() -> int:
            said = self.log.read_text(errors="replace")
            if self.process.poll() is not None:
                raise RuntimeError(said)
            found = re.search(r"serves on http://127\.0\.0\.1:(\d+)", said)
            return int(found[1]) if found else 0

        self.port = until("the server answers", 120, address)

    def ask(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()

    def submit(self, picture: bytes, seed: int, headers: dict[str, str] | None = None) -> str:
        """The id of the new job. The same picture and seed are one result, unless it is made anew."""
        anew = {**FORM_HEADERS, "cache-control": "no-cache", **(headers or {})}
        status, body = self.ask("POST", "/v1/jobs", form(picture, seed), anew)
        if status != 202:
            raise RuntimeError(f"refused with {status}: {body.decode()}")
        return str(json.loads(body)["id"])

    def pause(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self.go_on()
        self.process.kill()
        self.process.wait()


def model(folder: Path, sleeps: float, slots: int) -> list[str]:
    """The stand-in's model, whose every job sleeps twice for so many seconds; the flags of a server with so many places."""
    fake = Path(__file__).resolve().parents[1] / "fake_trellis"
    subprocess.run(["python3", str(fake / "model.py"), str(folder / "model")], check=True)
    # A job decodes a mesh and splats.
    rules = [{"at": "decode", "do": "sleep", "seconds": sleeps}]
    (folder / "model/script.json").write_text(json.dumps(rules))
    (folder / ".cache").mkdir()
    shutil.move(folder / "model/torch", folder / ".cache/torch")
    os.environ["HOME"] = str(folder)
    flags = ["--model", str(folder / "model"), "--python", str(fake / "python"), "--gpus", f"unchecked:{slots}"]
    return [*flags, "--backend", "trellis", "--warm-up=false", "--default-quality=exact"]


def workers_ready(pg: Postgres, count: int) -> None:
    """Until so many have said that they can work."""
    ready = "SELECT count(*) FROM trellis.nodes, json_array_elements(about->'backends') AS offer"
    ready += " WHERE offer->>'standing' = 'ready' AND about->>'role' = 'worker'"
    until("the workers are ready", 240, lambda: pg.ask(ready) == str(count))
