"""A PostgreSQL primary with a synchronous standby, each on a machine and a disk of its own where these can be had."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

from disk import Disk
from network import BACK, Machine, Network

BIN = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))[-1]
SETTINGS = [
    "shared_buffers=32MB",
    "max_connections=80",
    "wal_level=replica",
    "max_wal_senders=8",
    "wal_keep_size=64MB",
    "min_wal_size=2MB",
    "max_wal_size=16MB",
    "hot_standby=on",
    "synchronous_commit=on",
    # Where nobody answers any more, the other side is found dead soon.
    "wal_sender_timeout=4s",
    "wal_receiver_timeout=4s",
]
# What is kept of the log, the rows, and room for a hundred rounds.
DISK_MEBIBYTES = 400


def as_its_user(command: list[str]) -> list[str]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return command
    return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--", *command]


class Postgres:
    """One of the two."""

    def __init__(self, folder: Path, machine: Machine) -> None:
        self.folder, self.machine = folder, machine
        self.process: subprocess.Popen[bytes] | None = None
        folder.mkdir(mode=0o777)
        folder.chmod(0o777)
        self.disk = Disk(folder / "disk", DISK_MEBIBYTES)
        self.data = folder / "disk/data"

    @property
    def host(self) -> str:
        """Its address, or the folder of its socket."""
        return str(self.folder) if self.machine.number is None else self.machine.back

    @property
    def url_host(self) -> str:
        """The same as URLs have it."""
        return self.host.replace("/", "%2F")

    def call(self, program: str, *arguments: str) -> str:
        command = self.machine.command(as_its_user([str(BIN / program), *arguments]))
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{program}: {done.stderr}")
        return done.stdout.strip()

    def make(self) -> None:
        how = ["--auth=trust", "--username=trellis", "--no-sync", "--no-instructions", "--wal-segsize=1"]
        self.call("initdb", *how, "-D", str(self.data))
        with (self.data / "pg_hba.conf").open("a") as rules:
            rules.write("local replication trellis trust\n")
            rules.write(f"host all,replication trellis {BACK}.0/24 trust\n")

    def follow(self, primary: Postgres) -> None:
        """Becomes its standby, with a new copy of its data."""
        shutil.rmtree(self.data, ignore_errors=True)
        how = [
            "-h",
            primary.host,
            "-U",
            "trellis",
            "-D",
            str(self.data),
            "-R",
            "-X",
            "stream",
            "--no-sync",
            "-c",
            "fast",
        ]
        self.call("pg_basebackup", *how)
        self.start()

    def start(self) -> None:
        command = [str(BIN / "postgres"), "-D", str(self.data), "-c", f"unix_socket_directories={self.folder}"]
        listens = "" if self.machine.number is None else self.machine.back
        for setting in [*SETTINGS, f"listen_addresses={listens}"]:
            command += ["-c", setting]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(self.machine.command(as_its_user(command)), stdout=log, stderr=log)
        for _ in range(600):
            if self.is_ready():
                return
            time.sleep(0.1)
        raise RuntimeError((self.folder / "log").read_text())

    def is_ready(self) -> bool:
        ready = [str(BIN / "pg_isready"), "-q", "-h", str(self.folder)]
        return subprocess.run(ready, check=False).returncode == 0

    def has_ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def ask(self, statement: str) -> str:
        return self.call("psql", "-h", str(self.folder), "-U", "trellis", "-d", "postgres", "-Atqc", statement)

    def wait_for_its_standby(self) -> None:
        """From then on, what is committed here is on the standby's disk too."""
        for _ in range(600):
            if self.ask("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") == "1":
                break
            time.sleep(0.1)
        self.ask("ALTER SYSTEM SET synchronous_standby_names = '*'")
        self.ask("SELECT pg_reload_conf()")
        for _ in range(600):
            if self.has_its_standby():
                return
            time.sleep(0.1)
        raise RuntimeError("the standby does not follow")

    def has_its_standby(self) -> bool:
        try:
            return self.ask("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") == "1"
        except RuntimeError:
            # It starts or stops.
            return False

    def promote(self) -> None:
        # It has nobody to wait for until another one follows it.
        auto = self.data / "postgresql.auto.conf"
        kept = [line for line in auto.read_text().splitlines() if not line.startswith("synchronous_standby_names")]
        auto.write_text("\n".join(kept) + "\n")
        self.call("pg_ctl", "reload", "-D", str(self.data))
        self.call("pg_ctl", "promote", "-w", "-D", str(self.data))

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
        self.disk.unmount()


class Pair:
    """The primary and its standby, in turn."""

    def __init__(self, folder: Path, network: Network) -> None:
        self.primary = Postgres(folder / "one", network.machine("one"))
        self.standby = Postgres(folder / "two", network.machine("two"))
        self.primary.make()
        self.primary.start()
        self.standby.follow(self.primary)
        self.primary.wait_for_its_standby()
        hosts = ",".join(one.url_host for one in (self.primary, self.standby))
        encryption = "" if network.why_not else "?sslmode=disable"
        self.url = f"postgres://trellis@{hosts}/postgres{encryption}"

    def change_places(self) -> Postgres:
        """The standby takes the primary's place, which is handed out."""
        lost = self.primary
        self.standby.promote()
        self.primary, self.standby = self.standby, lost
        return lost

    def follow_again(self) -> None:
        """The one that was lost becomes the standby."""
        self.standby.follow(self.primary)
        self.primary.wait_for_its_standby()

    def stop(self) -> None:
        self.primary.stop()
        self.standby.stop()
