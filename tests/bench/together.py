"""What the measurements of several servers have in common."""

from __future__ import annotations

import itertools
import threading
import time
from pathlib import Path

from jobs import TICK, children, cpu_ms, picture
from machines import Postgres, Server, until

SUBMISSIONS = 200
ALONE = 20
CLIENTS = 8
SMALL = picture(64)
seeds = itertools.count(1)


def at_once(api: Server, count: int) -> float:
    """So many submissions from several clients; how long all of them took, seconds."""
    numbers = [next(seeds) for _ in range(count)]
    parts = [numbers[client::CLIENTS] for client in range(CLIENTS)]

    def client(own: list[int]) -> None:
        for seed in own:
            api.submit(SMALL, seed)

    began = time.monotonic()
    threads = [threading.Thread(target=client, args=(own,)) for own in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.monotonic() - began


def alone(api: Server, database: Postgres) -> list[float]:
    """Milliseconds from the acceptance of a job to its claim, of jobs that are submitted one after another."""
    waits = []
    for _ in range(ALONE):
        job = api.submit(SMALL, next(seeds))
        since = f"SELECT at FROM trellis.history JOIN trellis.jobs ON job = number WHERE id = '{job}' AND position = "
        begun = until("it is begun", 60, lambda since=since: database.ask(since + "1"))
        waits.append((int(begun) - int(database.ask(since + "0"))) / 1000)
        ended = f"SELECT 1 FROM trellis.jobs WHERE id = '{job}' AND ended_at IS NOT NULL"
        until("it is done", 60, lambda ended=ended: database.ask(ended))
    return sorted(waits)


class Watch:
    """Processor time of a database and of a server, and the transactions, from here to `told`."""

    def __init__(self, database: Postgres, server: Server | None = None) -> None:
        self.database, self.server = database, server
        self.before = self.look()

    def look(self) -> tuple[float, float, float, int]:
        assert self.database.process is not None
        pid = self.database.process.pid
        # Connections that have ended count as well, and are in its own figures then.
        of_ended = sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[13:15])) * 1000 / TICK
        of_database = of_ended + sum(cpu_ms(process) for process in [pid, *children(pid)])
        of_server = cpu_ms(self.server.process.pid) if self.server else 0.0
        done = int(self.database.ask("SELECT sum(xact_commit)::bigint FROM pg_stat_database"))
        return time.monotonic(), of_database, of_server, done

    def told(self) -> tuple[float, float, float]:
        """Milliseconds of the processor a second, of both, and transactions a second."""
        spent = [after - before for before, after in zip(self.before, self.look(), strict=True)]
        return spent[1] / spent[0], spent[2] / spent[0], spent[3] / spent[0]
