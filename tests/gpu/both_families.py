"""Runs jobs of TRELLIS and of TRELLIS.2 in one queue of one server; run by both-families."""

from __future__ import annotations

import sys
import urllib.error
from pathlib import Path
from typing import Any

from check import Server, check, results, smi, until

# Of TRELLIS no mesh: what random weights make is in too many pieces to be taken for a result.
FAMILIES = {
    "trellis-image-large": {"formats": ["gaussian_ply"]},
    "trellis2-4b": {"formats": ["glb", "stl"], "resolution": 512, "texture_size": 1024},
}
ROUNDS = 4


def workers(server: Server) -> dict[str, int]:
    """The processes of the ready workers, one for each family, by name."""

    def look() -> dict[str, int] | None:
        known = server.call("GET", "/v1/workers")["workers"]
        found = {str(one["name"]): int(one["pid"]) for one in known if one["state"] == "ready"}
        return found if len(found) == len(FAMILIES) else None

    return until("a ready worker of each family", look)


def began(job: dict[str, Any]) -> str:
    """When its work began."""
    return next(str(change["at"]) for change in job["history"] if change["state"] == "running")


def queued(server: Server) -> list[tuple[str, str]]:
    """Jobs of both families in turns, all submitted before the first ends; each one's model."""
    asked = [(family, seed) for seed in range(1, ROUNDS + 1) for family in FAMILIES]
    return [(server.submit(seed, model=family, **FAMILIES[family]), family) for family, seed in asked]


def succeeded(server: Server, id_: str, family: str) -> dict[str, Any]:
    job = server.finished(id_)
    failure = job.get("failure") or {}
    files = sorted(file["format"] for file in job.get("artifacts", []))
    check(
        job["state"] == "succeeded" and files == sorted(FAMILIES[family]["formats"]),
        f"{family}: {job['state']} with {', '.join(files)} {failure.get('message', '')}",
    )
    return job


def mixed(server: Server) -> None:
    before = workers(server)
    check(True, "each family has a worker: " + ", ".join(before))
    jobs = queued(server)
    ended = [succeeded(server, *one) for one in jobs]
    starts = sorted((began(job), family) for job, (_, family) in zip(ended, jobs, strict=True))
    turns = [family for _, family in starts]
    first = {family: turns.index(family) for family in FAMILIES}
    check(max(first.values()) == 1, f"both began before either had a second job: {', '.join(turns)}")
    for family in FAMILIES:
        own = [began(job) for job, (_, of) in zip(ended, jobs, strict=True) if of == family]
        check(own == sorted(own), f"{family}: its jobs began in the order in which they were submitted")

    # One family's cancelled job leaves the other's alone.
    slow = server.submit(9, model="trellis-image-large", formats=["gaussian_ply"], ss_sampling_steps=50)
    other = server.submit(9, model="trellis2-4b", **FAMILIES["trellis2-4b"])
    server.call("POST", f"/v1/jobs/{slow}/cancel")
    check(server.finished(slow)["state"] == "cancelled", "TRELLIS's job is cancelled")
    succeeded(server, other, "trellis2-4b")
    after = workers(server)
    check(after == before, "the workers are the processes that began")


def main(trellis: str, work: Path) -> int:
    name, driver, capability = smi("name,driver_version,compute_cap")
    print(f"GPU: {name}, driver {driver}, capability {capability}", flush=True)
    home = work / "home"
    home.mkdir()
    second = ["--trellis2-model", work / "model2", "--trellis2-python", work / "python2", "--trellis2-gpus", "all"]
    server = Server(trellis, work / "python", home, work / "model", "--warm-up=false", *map(str, second))
    try:
        mixed(server)
    except (TimeoutError, urllib.error.URLError, RuntimeError) as error:
        check(False, f"{type(error).__name__}: {error}")
        print((home / "log").read_text()[-6000:])
    finally:
        server.process.terminate()
        server.process.wait(60)
    wrong = sum(not holds for holds, _ in results)
    print(f"{len(results) - wrong} passed, {wrong} failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
