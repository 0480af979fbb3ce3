"""Faults of several servers, their database and their storage; run.sh says how to run it."""

from __future__ import annotations

import datetime
import itertools
import os
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from database import Pair
from faults import FAULTS, Fault
from network import Network
from rounds import Round
from servers import Server, until
from storage import Storage, program

APIS, WORKERS = 2, 5
# Where nobody says how many.
FEW = 3
# A cluster that does not come back has nothing more to show.
ENOUGH = 3


class Cluster:
    """Servers that take requests, servers that work, a pair of databases and storage."""

    def __init__(self, trellis: Path, folder: Path) -> None:
        self.trellis, self.folder = trellis, folder
        self.network = Network()
        self.databases = Pair(folder, self.network)
        self.storage = Storage(folder / "storage", self.network.ours) if program() else None
        blobs = self.storage.flags if self.storage else ["--blobs", str(folder / "blobs")]
        self.flags = ["--store", self.databases.url, *blobs, "--limits-queued-jobs", "1000"]
        self.apis = [self.server(f"api-{n}", "api") for n in range(APIS)]
        self.workers = [self.server(f"worker-{n}", "worker") for n in range(WORKERS)]

    def server(self, name: str, role: str) -> Server:
        return Server(self.trellis, self.folder / name, self.network.machine(name), role, self.flags)

    def any_api(self) -> Iterator[Server]:
        return itertools.cycle(random.sample(self.apis, len(self.apis)))

    def wait(self) -> None:
        """Until all of them know of each other."""
        for api in self.apis:
            api.address()
        nodes = "SELECT count(*) FROM trellis.nodes"
        until("all servers are there", 60, lambda: self.databases.primary.ask(nodes) == str(APIS + WORKERS))
        # The others' next look.
        time.sleep(5)

    def held_by(self, worker: Server) -> int:
        """How many jobs it works on."""
        return len(self.attempts_of(worker))

    def attempts_of(self, worker: Server) -> list[str]:
        """The jobs that it works on, each with the number of its attempt."""
        its = f"state = 'running' AND worker = '{worker.store_name}'"
        held = self.databases.primary.ask(f"SELECT id, attempt FROM trellis.jobs WHERE {its} ORDER BY id")
        return list(held.splitlines())

    def begun(self, but: Server | None = None) -> Server:
        """Waits until a worker is at a job, and says which."""
        names = {worker.store_name: worker for worker in self.workers if worker is not but}

        def one() -> Server | None:
            holders = self.databases.primary.ask("SELECT worker FROM trellis.jobs WHERE state = 'running'").splitlines()
            return next((names[holder] for holder in holders if holder in names), None)

        found = until("a job is begun", 60, one)
        assert isinstance(found, Server)
        return found

    def calm(self) -> None:
        """The end of a fault, whatever became of it."""
        if self.storage:
            self.storage.becomes("fair")
        for database in (self.databases.primary, self.databases.standby):
            database.disk.fast()
            database.disk.empty()
            database.machine.join()
        for server in self.apis + self.workers:
            if server.disk:
                server.disk.go_on()
                server.disk.fast()
                server.disk.empty()
            server.machine.join()
            server.go_on()

    def stop(self) -> None:
        for server in self.apis + self.workers:
            server.go_on()
            if server.disk:
                server.disk.go_on()
            server.kill()
            if server.disk:
                server.disk.unmount()
        if self.storage:
            self.storage.stop()
        self.databases.stop()


def chosen(asked: str) -> list[Fault]:
    """The faults of so many rounds."""
    names = [name for name in os.environ.get("TRELLIS_CLUSTER_FAULTS", "").split(",") if name]
    by_name = {fault.__name__: fault for fault in FAULTS}
    if unknown := set(names) - set(by_name):
        sys.exit(f"no such fault: {', '.join(sorted(unknown))}; there are {', '.join(by_name)}")
    faults = [by_name[name] for name in names] or FAULTS
    rounds = int(asked or len(names) or FEW)
    if not names and rounds < len(FAULTS):
        first = datetime.date.today().toordinal() * rounds % len(FAULTS)
        faults = FAULTS[first:] + FAULTS[:first]
    return list(itertools.islice(itertools.cycle(faults), rounds))


def main() -> int:
    trellis, folder = Path(sys.argv[1]), Path(sys.argv[2])
    faults = chosen(sys.argv[3])
    cluster = Cluster(trellis, folder)
    problems = jobs = failed = 0
    try:
        cluster.wait()
        for number, fault in enumerate(faults):
            one = Round(cluster, number)
            one.run(fault)
            problems, jobs = problems + len(one.problems), jobs + len(one.jobs)
            failed += bool(one.problems)
            if failed == ENOUGH:
                break
    finally:
        cluster.stop()
    print(f"{number + 1} rounds, {jobs} jobs, {problems} violated invariants")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
