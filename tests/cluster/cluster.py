"""Faults of several servers and their database; run.sh says how to run it."""

from __future__ import annotations

import itertools
import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "attack"))

from database import Pair  # noqa: E402
from server import png  # noqa: E402
from servers import FINAL, Follower, Server, ask, damage, faketime, submit, until  # noqa: E402

JOBS = 8
WORKERS = 3
# A lease is 30 s; a server that was stopped for longer has lost its jobs.
TOO_LATE = 40

problems: list[str] = []


def must(holds: bool, what: str) -> None:
    if not holds:
        problems.append(what)
        print(f"VIOLATED  {what}", flush=True)


class Cluster:
    """Two servers that take requests, three that work, and a pair of databases."""

    def __init__(self, program: Path, folder: Path) -> None:
        self.program, self.folder = program, folder
        self.databases = Pair(folder)
        self.flags = ["--store", self.databases.url, "--blobs", str(folder / "blobs"), "--limits-queued-jobs", "1000"]
        self.apis = [self.server(f"api-{n}", "api") for n in range(2)]
        self.workers = [self.server(f"worker-{n}", "worker") for n in range(WORKERS)]

    def server(self, name: str, role: str, skew: str = "") -> Server:
        return Server(self.program, self.folder / name, role, self.flags, skew)

    def any_api(self) -> Iterator[Server]:
        return itertools.cycle(random.sample(self.apis, len(self.apis)))

    def begun(self) -> Server:
        """Waits until a worker is at a job, and says which."""
        names = {(worker.folder / "data/server-name").read_text().strip(): worker for worker in self.workers}

        def one() -> Server | None:
            holders = self.databases.primary.ask("SELECT worker FROM trellis.jobs WHERE state = 'running'").splitlines()
            return next((names[holder] for holder in holders if holder in names), None)

        found = until("a job is begun", 60, one)
        assert isinstance(found, Server)
        return found

    def stop(self) -> None:
        for server in self.apis + self.workers:
            server.go_on()
            server.kill()
        self.databases.stop()


def kill_a_worker(cluster: Cluster) -> str:
    worker = cluster.begun()
    worker.kill()
    time.sleep(random.uniform(0, 1))
    worker.start()
    return f"{worker.folder.name} killed at a job"


def kill_an_api(cluster: Cluster) -> str:
    api = random.choice(cluster.apis)
    time.sleep(random.uniform(0, 0.5))
    api.kill()
    time.sleep(random.uniform(0, 2))
    api.start()
    return f"{api.folder.name} killed while it was asked"


def kill_the_primary(cluster: Cluster) -> str:
    time.sleep(random.uniform(0, 1))
    cluster.databases.lose_the_primary()
    return "the primary killed, the standby took its place"


def pause_a_worker(cluster: Cluster) -> str:
    worker = cluster.begun()
    worker.pause()
    ask_held = "SELECT count(*) FROM trellis.jobs WHERE state = 'running' AND worker = '{}'"
    held = ask_held.format((worker.folder / "data/server-name").read_text().strip())
    before = int(cluster.databases.primary.ask(held))
    time.sleep(TOO_LATE)
    # Others have them by now, or have ended them.
    until("its jobs are taken from it", 60, lambda: cluster.databases.primary.ask(held) == "0")
    worker.go_on()
    return f"{worker.folder.name} stopped for {TOO_LATE} s with {before} jobs, which others did"


def skew_a_clock(cluster: Cluster) -> str:
    if not faketime():
        return "skipped: libfaketime is not here (Debian's package `faketime`)"
    skew = random.choice(["+300", "-300"])
    number = len(cluster.workers)
    cluster.workers.append(cluster.server(f"worker-{number}", "worker", f"{skew}s"))
    api = cluster.server(f"api-{len(cluster.apis)}", "api", f"{-int(skew):+d}s")
    api.address()
    cluster.apis.append(api)
    return f"a worker whose clock is {skew} s off, an API whose clock is off the other way"


FAULTS: list[Callable[[Cluster], str]] = [
    kill_a_worker,
    kill_the_primary,
    kill_an_api,
    pause_a_worker,
    skew_a_clock,
]


def one_round(cluster: Cluster, number: int) -> None:
    began = time.monotonic()
    jobs: list[str] = []
    followers: list[Follower] = []
    for n in range(JOBS):
        picture = png(1200 + 8 * number, 900 + n)
        job = submit(cluster.any_api(), picture, f"{number}-{n}")
        jobs.append(job)
        followers.append(Follower(cluster.any_api(), job))
    done = FAULTS[number % len(FAULTS)](cluster)
    # Asked again under the same key, the answer is the same job.
    again = submit(cluster.any_api(), png(1200 + 8 * number, 900), f"{number}-0")
    must(again == jobs[0], f"{number}-0 was accepted twice, as {jobs[0]} and {again}")
    for job, follower in zip(jobs, followers, strict=True):
        judge(cluster, job, follower)
    print(f"round {number + 1}: {done}; {JOBS} jobs right ({time.monotonic() - began:.0f} s)", flush=True)


def judge(cluster: Cluster, job: str, follower: Follower) -> None:
    """The invariants, of one job that was accepted."""
    api = next(cluster.any_api())

    def ended() -> dict[str, object] | None:
        status, text = ask(api, "GET", f"/v1/jobs/{job}")
        found = json.loads(text) if status == 200 else {}
        must(status != 404, f"{job} was accepted and is lost")
        return found if found.get("state") in FINAL else None

    found = until(f"{job} ends", 180, ended)
    must(found["state"] == "succeeded", f"{job} ended as {found['state']}: {found.get('failure')}")
    finals = [entry for entry in found["history"] if entry["state"] in FINAL]
    must(len(finals) == 1, f"{job} ended {len(finals)} times")
    wrong = until("the files are read", 60, lambda: [damage(api, found)])[0]
    must(wrong == "", wrong)
    attempts = {artifact["name"] for artifact in found["artifacts"]}
    must(len(attempts) == len(found["artifacts"]), f"{job} shows the results of two attempts")
    follower.join(120)
    must(follower.over, f"the events of {job} have no end: {follower.states}")
    must(follower.seen == sorted(set(follower.seen)), f"events of {job} out of order or twice: {follower.seen}")
    told = [state for state in follower.states if state in FINAL]
    must(told == [found["state"]], f"{job}: its followers were told {follower.states}")
    listed = [entry["state"] for entry in found["history"]]
    must(follower.states == listed, f"{job}: {follower.states} was told, {listed} happened")


def main() -> int:
    program, folder, rounds = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    cluster = Cluster(program, folder)
    try:
        for api in cluster.apis:
            api.address()
        for number in range(rounds):
            one_round(cluster, number)
    finally:
        cluster.stop()
    print(f"{rounds} rounds, {rounds * JOBS} jobs, {len(problems)} violated invariants")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
