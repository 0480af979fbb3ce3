"""Measured waits beside simulated ones; waits.sh says how to run it."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

from machines import Postgres, Server, model, until, workers_ready
from together import SMALL

SERVERS = 5
# Twice a job.
SLEEP = 0.5
# One owner submits so many at a time, all of these seconds; two others one at a time, so many a second each.
BATCH = 40
EVERY = 20.0
RATE = 0.8


def submissions(seconds: float) -> list[tuple[float, str]]:
    """When each owner submits, the same in each run."""
    chance = random.Random(18)
    planned = []
    at = 5.0
    while at < seconds:
        planned += [(at, "studio")] * BATCH
        at += EVERY
    for owner in ("ada", "bob"):
        at = chance.expovariate(RATE)
        while at < seconds:
            planned.append((at, owner))
            at += chance.expovariate(RATE)
    return sorted(planned)


def send(api: Server, planned: list[tuple[float, str]]) -> None:
    """At its time, each on a thread of its own, so that none waits for another's answer."""
    refused: list[str] = []

    def one(seed: int, owner: str) -> None:
        try:
            api.submit(SMALL, seed, {"authorization": f"Bearer {owner}{SECRET}"})
        except (OSError, RuntimeError) as error:
            refused.append(str(error))

    begun = time.monotonic()
    threads = []
    for number, (at, owner) in enumerate(planned):
        time.sleep(max(0.0, begun + at - time.monotonic()))
        threads.append(threading.Thread(target=one, args=(number, owner)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    if refused:
        raise RuntimeError(f"{len(refused)} were refused, such as: {refused[0]}")


SECRET = "-secret-of-the-measurement-of-waits"
WHAT_HAPPENED = """
    SELECT owner, came.at, begun.at, ended.at FROM trellis.jobs
    JOIN trellis.history AS came ON came.job = number AND came.position = 0
    JOIN trellis.history AS begun ON begun.job = number AND begun.position = 1
    JOIN trellis.history AS ended ON ended.job = number AND ended.position = 2
    ORDER BY number
"""


def told(waits: list[float]) -> str:
    waits = sorted(waits)
    at = [waits[max(0, -(-len(waits) * part // 100) - 1)] for part in (50, 90, 99)]
    return ", ".join(f"{wait:.1f}" for wait in at)


def compare(simulation: Path, folder: Path, pg: Postgres) -> None:
    """The same submissions, each as long at work as it really was."""
    rows = [line.split("|") for line in pg.ask(WHAT_HAPPENED).splitlines()]
    owners = [row[0] for row in rows]
    times = [[int(time) / 1e6 for time in row[1:]] for row in rows]
    first = min(came for came, _, _ in times)
    lines = [
        json.dumps({"at": came - first, "owner": owner, "seconds": ended - begun})
        for owner, (came, begun, ended) in zip(owners, times, strict=True)
    ]
    file = folder / "submissions"
    file.write_text("\n".join(lines))
    done = subprocess.run([simulation, "--gpus", str(SERVERS), "--replay", file], capture_output=True, text=True, check=True)
    simulated = [tuple(map(float, line.split())) for line in done.stdout.splitlines()]
    last = max(ended for _, _, ended in times)
    load = sum(ended - begun for _, begun, ended in times) / SERVERS / (last - first)
    print(f"{len(rows)} jobs, {SERVERS} servers at work {100 * load:.0f} % of the time; seconds that one in two, nine in ten")
    print("and 99 in a hundred jobs wait at most:\n")
    print("| owner | jobs | measured | simulated, turns | simulated, in order |\n|---|---:|---:|---:|---:|")
    for owner in sorted(set(owners)):
        own = [number for number, name in enumerate(owners) if name == owner]
        measured = told([times[number][1] - times[number][0] for number in own])
        turns, in_order = (told([simulated[number][which] for number in own]) for which in (0, 1))
        print(f"| {owner} | {len(own)} | {measured} | {turns} | {in_order} |", flush=True)


def main() -> int:
    program, simulation, folder, seconds = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), float(sys.argv[4])
    pg = Postgres(folder / "one")
    servers: list[Server] = []
    try:
        pg.begin()
        keys = folder / "keys"
        keys.write_text("".join(f"{owner} {owner}{SECRET}\n" for owner in ("ada", "bob", "studio")))
        keys.chmod(0o600)
        flags = ["--store", pg.url, "--blobs", str(folder / "blobs")]
        worker_flags = [*flags, *model(folder, SLEEP, 1)]
        api_flags = ["--default-quality=exact", "--auth-keys-file", str(keys), "--limits-queued-jobs", "10000"]
        servers.append(Server(program, folder / "api", "api", [*flags, *api_flags]))
        servers[0].wait()
        for number in range(SERVERS):
            servers.append(Server(program, folder / f"worker-{number}", "worker", worker_flags))
        workers_ready(pg, SERVERS)
        planned = submissions(seconds)
        send(servers[0], planned)
        done = "SELECT count(*) FROM trellis.jobs WHERE state = 'succeeded'"
        until("all are done", 600, lambda: pg.ask(done) == str(len(planned)))
        compare(simulation, folder, pg)
    finally:
        for server in servers:
            server.kill()
        pg.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
