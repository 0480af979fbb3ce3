"""Several servers and one database, measured; cluster.sh says how to run it."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "cluster"))
sys.path.insert(0, str(HERE.parent / "attack"))

from database import Pair  # noqa: E402
from server import png  # noqa: E402
from servers import Server, submit, until  # noqa: E402

SLEEP = 2.0
SLOTS = 4
ROUNDS = 6
SUBMISSIONS = 200
ALONE = 20
CLIENTS = 8


def model(folder: Path) -> list[str]:
    """The stand-in's model, whose every job sleeps; the flags of a server that has it."""
    fake = HERE.parent / "fake_trellis"
    subprocess.run([sys.executable, str(fake / "model.py"), str(folder / "model")], check=True)
    rules = [{"at": "decode", "do": "sleep", "seconds": SLEEP}]
    (folder / "model/script.json").write_text(json.dumps(rules))
    (folder / ".cache").mkdir()
    shutil.move(folder / "model/torch", folder / ".cache/torch")
    os.environ["HOME"] = str(folder)
    flags = ["--model", str(folder / "model"), "--python", str(fake / "python"), "--gpus", f"unchecked:{SLOTS}"]
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


def alone(api: Server, pair: Pair) -> list[float]:
    """Milliseconds from the acceptance of a job to its claim, of jobs that are submitted one after another."""
    waits = []
    for number in range(ALONE):
        job = submit(itertools.repeat(api), png(64, 64), f"alone-{number}")
        since = f"SELECT at FROM trellis.history JOIN trellis.jobs ON job = number WHERE id = '{job}' AND position = "
        begun = until("it is begun", 60, lambda since=since: pair.primary.ask(since + "1"))
        waits.append((int(begun) - int(pair.primary.ask(since + "0"))) / 1000)
    return waits


def main() -> int:
    program, folder, most = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    pair = Pair(folder)
    servers: list[Server] = []
    try:
        flags = ["--store", pair.url, "--blobs", str(folder / "blobs"), "--limits-queued-jobs", "100000"]
        worker_flags = [*flags, *model(folder)]
        api = Server(program, folder / "api", "api", [*flags, "--default-quality=exact"])
        servers.append(api)
        api.address()
        rates: list[float] = []
        for nodes in range(1, most + 1):
            servers.append(Server(program, folder / f"worker-{nodes}", "worker", worker_flags))
            ready = "SELECT count(*) FROM trellis.nodes, json_array_elements(about->'backends') AS offer"
            ready += " WHERE offer->>'standing' = 'ready' AND about->>'role' = 'worker'"
            until("the workers are ready", 120, lambda ready=ready, nodes=nodes: pair.primary.ask(ready) == str(nodes))
            count = nodes * SLOTS * ROUNDS
            at_once(api, count, f"nodes-{nodes}")
            done = "SELECT count(*) FROM trellis.jobs WHERE state IN ('succeeded', 'failed')"
            until("all are done", 300, lambda done=done, count=count: pair.primary.ask(done) == str(count))
            times = "SELECT at FROM trellis.history WHERE state = '{}' ORDER BY at"
            begun = [int(at) / 1e6 for at in pair.primary.ask(times.format("running")).split()]
            ended = [int(at) / 1e6 for at in pair.primary.ask(times.format("succeeded")).split()]
            rates.append(count / (ended[-1] - begun[0]))
            print(f"{nodes} servers: {rates[-1]:.2f} jobs a second, {rates[-1] / rates[0]:.2f} times one server")
            pair.primary.ask("DELETE FROM trellis.jobs")
        waits = alone(api, pair)
        print(f"a job that waits for nobody is begun after {statistics.median(waits):.0f} ms (median of {ALONE})")
        # Refused before any server has said that it can do them.
        rate = SUBMISSIONS / at_once(api, SUBMISSIONS, "submit")
        print(f"submissions: {rate:.0f} a second from {CLIENTS} clients, on two disks each before its answer")
    finally:
        for server in servers:
            server.kill()
        pair.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
