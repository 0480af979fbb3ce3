"""A PostgreSQL primary with a synchronous standby, each reached by a socket in its folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

BIN = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))[-1]
SETTINGS = [
    "listen_addresses=",
    "shared_buffers=32MB",
    "max_connections=80",
    "wal_level=replica",
    "max_wal_senders=8",
    "wal_keep_size=256MB",
    "hot_standby=on",
    "synchronous_commit=on",
    # Where nobody answers any more, the other side is found dead soon.
    "wal_sender_timeout=4s",
    "wal_receiver_timeout=4s",
]


def as_its_user(command: list[str]) -> list[str]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return command
    return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--", *command]


def call(program: str, *arguments: str) -> str:
    command = as_its_user([str(BIN / program), *arguments])
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{program}: {done.stderr}")
    return done.stdout.strip()


class Postgres:
    """One of the two."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.process: subprocess.Popen[bytes] | None = None
        folder.mkdir(mode=0o777)
        folder.chmod(0o777)

    @property
    def host(self) -> str:
        return str(self.folder).replace("/", "%2F")

    def make(self) -> None:
        call("initdb", "--auth=trust", "--username=trellis", "--no-sync", "--no-instructions", "-D", str(self.data))
        with (self.data / "pg_hba.conf").open("a") as rules:
            rules.write("local replication trellis trust\n")

    def follow(self, primary: Postgres) -> None:
        """Becomes its standby, with a new copy of its data."""
        shutil.rmtree(self.data, ignore_errors=True)
        call("pg_basebackup", "-h", str(primary.folder), "-U", "trellis", "-D", str(self.data), "-R", "-X", "stream")
        self.start()

    def start(self) -> None:
        command = [str(BIN / "postgres"), "-D", str(self.data), "-c", f"unix_socket_directories={self.folder}"]
        for setting in SETTINGS:
            command += ["-c", setting]
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(as_its_user(command), stdout=log, stderr=log)
        ready = [str(BIN / "pg_isready"), "-q", "-h", str(self.folder)]
        for _ in range(600):
            if subprocess.run(ready, check=False).returncode == 0:
                return
            time.sleep(0.1)
        raise RuntimeError((self.folder / "log").read_text())

    def ask(self, statement: str) -> str:
        return call("psql", "-h", str(self.folder), "-U", "trellis", "-d", "postgres", "-Atqc", statement)

    def wait_for_its_standby(self) -> None:
        """From then on, what is committed here is on the standby's disk too."""
        for _ in range(600):
            if self.ask("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") == "1":
                break
            time.sleep(0.1)
        self.ask("ALTER SYSTEM SET synchronous_standby_names = '*'")
        self.ask("SELECT pg_reload_conf()")
        for _ in range(600):
            if self.ask("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") == "1":
                return
            time.sleep(0.1)
        raise RuntimeError("the standby does not follow")

    def promote(self) -> None:
        # It has nobody to wait for until another one follows it.
        auto = self.data / "postgresql.auto.conf"
        kept = [line for line in auto.read_text().splitlines() if not line.startswith("synchronous_standby_names")]
        auto.write_text("\n".join(kept) + "\n")
        call("pg_ctl", "reload", "-D", str(self.data))
        call("pg_ctl", "promote", "-w", "-D", str(self.data))

    def kill(self) -> None:
        """All of its processes, as a power cut does."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        # Those that it has started end when they find it gone; the socket's lock goes with them.
        time.sleep(0.5)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


class Pair:
    """The primary and its standby, in turn."""

    def __init__(self, folder: Path) -> None:
        self.primary, self.standby = Postgres(folder / "one"), Postgres(folder / "two")
        self.primary.make()
        self.primary.start()
        self.standby.follow(self.primary)
        self.primary.wait_for_its_standby()
        self.url = f"postgres://trellis@{self.primary.host},{self.standby.host}/postgres"

    def lose_the_primary(self) -> None:
        """Killed, the standby takes its place and gets one of its own."""
        lost = self.primary
        lost.kill()
        self.standby.promote()
        self.primary, self.standby = self.standby, lost
        lost.follow(self.primary)
        self.primary.wait_for_its_standby()

    def stop(self) -> None:
        self.primary.stop()
        self.standby.stop()
