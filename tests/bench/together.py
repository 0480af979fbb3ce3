"""What the measurements of several servers share."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "cluster"))
sys.path.insert(0, str(HERE.parent / "attack"))

from database import Postgres  # noqa: E402
from jobs import TICK, children, cpu_ms  # noqa: E402
from server import png  # noqa: E402
from servers import Server, submit, until  # noqa: E402

SUBMISSIONS = 200
ALONE = 20
CLIENTS = 8


def model(folder: Path, sleeps: float, slots: int) -> list[str]:
    """The stand-in's model, whose every job sleeps for so many seconds; the flags of a server with so many places for them."""
    fake = HERE.parent / "fake_trellis"
    subprocess.run([sys.executable, str(fake / "model.py"), str(folder / "model")], check=True)
    rules = [{"at": "decode", "do": "sleep", "seconds": sleeps}]
    (folder / "model/script.json").write_text(json.dumps(rules))
    (folder / ".cache").mkdir()
    shutil.move(folder / "model/torch", folder / ".cache/torch")
    os.environ["HOME"] = str(folder)
    flags = ["--model", str(folder / "model"), "--python", str(fake / "python"), "--gpus", f"unchecked:{slots}"]
    return [*flags, "--backend", "trellis", "--warm-up=false", "--default-quality=exact"]


def at_once(api: Server, count: int, name: str) -> float:
    """So many submissions from several clients; how long all of them took, seconds."""
    picture = png(64, 64)
    numbers = iter(range(count))
    lock = threading.Lock()

    def client() -> None:
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            submit(itertools.repeat(api), picture, f"{name}-{number}")

    began = time.monotonic()
    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.monotonic() - began


def alone(api: Server, database: Postgres, name: str = "alone") -> list[float]:
    """Milliseconds from the acceptance of a job to its claim, of jobs that are submitted one after another."""
    waits = []
    for number in range(ALONE):
        job = submit(itertools.repeat(api), png(64, 64), f"{name}-alone-{number}")
        since = f"SELECT at FROM trellis.history JOIN trellis.jobs ON job = number WHERE id = '{job}' AND position = "
        begun = until("it is begun", 60, lambda since=since: database.ask(since + "1"))
        waits.append((int(begun) - int(database.ask(since + "0"))) / 1000)
    return waits


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
