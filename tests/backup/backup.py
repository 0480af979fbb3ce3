"""A backup while jobs run, and what comes back of it; run.sh says how to run it."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/attack"), str(ROOT / "tests/cluster")]

from database import BIN, Postgres  # noqa: E402
from network import HERE  # noqa: E402
from server import png  # noqa: E402
from servers import FINAL, Server, ask, damage, submit, until  # noqa: E402

# So many have ended before the backup is made.
BEFORE = 4
# So many are accepted after it.
AFTER = 3
problems: list[str] = []


def must(holds: object, what: str) -> None:
    if not holds:
        problems.append(what)
        print(f"WRONG  {what}", flush=True)


def commands(name: str) -> str:
    """The block of the document that begins with this comment."""
    text = (ROOT / "docs/many-machines.md").read_text()
    found = re.search(rf"```sh\n# {name}\n(.*?)```", text, re.S)
    assert found, f"docs/many-machines.md has no block `# {name}`"
    return found[1]


def run(name: str, folder: Path, url: str, blobs: Path) -> None:
    environment = os.environ | {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "TRELLIS_STORE_URL": url,
        "TRELLIS_STORE_BLOBS": str(blobs),
    }
    script = "set -eu\n" + commands(name)
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    # What was just being written has another name by now.
    gone = re.compile(r"cp: cannot (stat|open) '.*#[0-9]+'.*: No such file or directory")
    said = [line for line in done.stderr.splitlines() if not gone.match(line)]
    must(not said and done.returncode in (0, 1), f"the {name} ended with {done.returncode}: {said}")


class Place:
    """Servers on a database and a folder."""

    def __init__(self, program: Path, folder: Path, url: str, blobs: Path) -> None:
        folder.mkdir()
        flags = ["--store", url, "--blobs", str(blobs), "--limits-queued-jobs", "1000"]
        self.api = Server(program, folder / "api", HERE, "api", flags)
        self.workers = [Server(program, folder / f"worker-{n}", HERE, "worker", flags) for n in range(2)]
        self.api.address()

    def kill(self) -> None:
        for server in [self.api, *self.workers]:
            server.kill()

    def job(self, job: str) -> dict[str, Any] | None:
        answer = ask(self.api, f"GET /v1/jobs/{job}")
        return answer.json() if answer.status == 200 else None

    def ended(self, job: str) -> dict[str, Any]:
        def end() -> dict[str, Any] | None:
            found = self.job(job)
            return found if found and found["state"] in FINAL else None

        return until(f"{job} ends", 120, end)


class Client(threading.Thread):
    """Sends jobs one after another until it is told to stop, each under a key of its own."""

    def __init__(self, place: Place) -> None:
        super().__init__(daemon=True)
        self.place = place
        self.accepted: list[str] = []
        self.enough = threading.Event()
        self.start()

    def run(self) -> None:
        for n in itertools.count():
            self.accepted.append(send(self.place, n))
            if self.enough.wait(0.3):
                return


def send(place: Place, n: int) -> str:
    return submit(itertools.repeat(place.api), png(400 + n, 300), f"job-{n}", problems)


def check(place: Place, jobs: list[str], known: int) -> None:
    """`known`: so many of them were accepted before the dump."""
    begun = sum(1 for job in jobs[:known] if (place.job(job) or {}).get("state") not in FINAL)
    later = sum(1 for job in jobs[known:] if place.job(job))
    for n, job in enumerate(jobs[:known]):
        must(place.job(job), f"{job} was accepted before the backup and is not in it")
        found = place.ended(job)
        finals = [entry for entry in found["history"] if entry["state"] in FINAL]
        must(found["state"] == "succeeded" and len(finals) == 1, f"{job}: {found['history']}")
        wrong = damage(place.api, found)
        must(not wrong, wrong)
        must(send(place, n) == job, f"the key of {job} answers with another job")
    for n in range(known, len(jobs)):
        job = send(place, n)
        found = place.ended(job)
        wrong = damage(place.api, found)
        must(found["state"] == "succeeded" and not wrong, f"{job}, sent again: {found['state']} {wrong}")
    print(f"{known} jobs of the backup are right, {begun} of them were not done yet; {later} more were in it", flush=True)


def main() -> int:
    program, folder = Path(sys.argv[1]), Path(sys.argv[2])
    database = Postgres(folder / "database", HERE)
    database.make()
    database.start()
    try:
        url = f"postgres://trellis@{database.url_host}/postgres"
        place = Place(program, folder / "before", url, folder / "files")
        client = Client(place)

        def done() -> bool:
            return sum(1 for job in list(client.accepted) if (place.job(job) or {}).get("state") in FINAL) >= BEFORE

        until("some jobs are done", 120, done)
        known = len(client.accepted)
        run("backup", folder, url, folder / "files")
        until("more jobs are accepted", 60, lambda: len(client.accepted) >= known + AFTER)
        client.enough.set()
        client.join(120)
        place.kill()

        database.ask("CREATE DATABASE restored")
        (folder / "files-again").mkdir()
        url = f"postgres://trellis@{database.url_host}/restored"
        run("restore", folder, url, folder / "files-again")
        place = Place(program, folder / "after", url, folder / "files-again")
        check(place, client.accepted, known)
        place.kill()
    finally:
        database.stop()
    print(f"{len(problems)} wrong")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
