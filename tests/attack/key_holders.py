"""Holders of keys who take more than their share, or do what their key is not for."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from server import Server, png, until
from withstood import holds

ADA = "0123456789abcdef0123456789abcdef"
BOB = "fedcba9876543210fedcba9876543210"


@contextmanager
def served(program: str, *lines: str) -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as folder:
        keys = Path(folder) / "keys"
        keys.write_text("\n".join(lines))
        keys.chmod(0o600)
        with Server(program, "--auth-keys-file", str(keys)) as server:
            yield server


def begun(job: dict[str, Any]) -> str | None:
    return next((change["at"] for change in job["history"] if change["state"] == "running"), None)


def full_queue(program: str) -> str:
    """a key that submits 200 jobs, and another one that submits one"""
    picture = png(512, 512)
    with served(program, f"ada {ADA}", f"bob {BOB}") as server:
        many = [server.submit(picture, ADA, seed=number)[1]["id"] for number in range(200)]
        status, one = server.submit(picture, BOB)
        holds(status == 202, f"the one was answered {status}")

        def job(name: str, key: str) -> dict[str, Any]:
            return server.call("GET", f"/v1/jobs/{name}", authorization=f"Bearer {key}")[1]

        began = until("the one job's beginning", lambda: begun(job(one["id"], BOB)), 60)
        others = [begun(job(name, ADA)) for name in many]
    before = sum(1 for other in others if other and one["created_at"] < other < began)
    waiting = sum(1 for other in others if other is None or other > one["created_at"])
    # Two are worked on at a time, and one may have been claimed while the other one was written down.
    holds(waiting > 20 and before <= 2, f"{before} of {waiting} waiting ones were begun before it")
    return f"the one was begun after {before} of the {waiting} that waited before it"


def beyond_its_limits(program: str) -> str:
    """300 submissions at once with a key for five waiting jobs, and 300 requests with a key for 60 a minute"""
    with served(program, f"ada {ADA} queued=5", f"bob {BOB} scopes=read requests_per_minute=60") as server:
        picture = png(512, 512)
        submitted = Counter(server.submit(picture, ADA, seed=number)[0] for number in range(300))
        most = server.call("GET", "/v1/status", authorization=f"Bearer {ADA}")[1]["jobs"]["queued"]
        started = time.monotonic()
        asked = Counter(server.call("GET", "/v1/jobs", authorization=f"Bearer {BOB}")[0] for _ in range(300))
        seconds = time.monotonic() - started
        health = server.health_seconds()
    holds(set(submitted) == {202, 429} and most <= 5, f"submissions: {submitted}, waiting: {most}")
    # As many as in a full minute, and those that come to it while they are asked.
    holds(set(asked) == {200, 429} and 60 <= asked[200] <= 61 + seconds, f"requests: {asked}")
    return (
        f"{submitted[429]} submissions and {asked[429]} requests got 429, {most} jobs waited, health within {health:.2f} s"
    )


def more_than_its_scopes(program: str) -> str:
    """a read-only key that tries to submit, cancel another key's job, stop a worker and read the metrics"""
    with served(program, f"ada {ADA}", f"bob {BOB} scopes=read") as server:
        _, job = server.submit(png(64, 64), ADA)
        bob = {"authorization": f"Bearer {BOB}"}
        answers = {
            "submit": server.submit(png(64, 64), BOB)[0],
            "cancel": server.call("DELETE", f"/v1/jobs/{job['id']}", **bob)[0],
            "infer": server.call("POST", "/v1/infer", b"{}", content_type="application/json", **bob)[0],
            "drain": server.call("POST", "/v1/workers/gpu-0/drain", b"", **bob)[0],
            "figures": server.call("GET", "/metrics", **bob)[0],
        }
        read = server.call("GET", f"/v1/jobs/{job['id']}", **bob)[0]
        listed = server.call("GET", "/v1/jobs", **bob)[1]["jobs"]
    holds(set(answers.values()) == {403} and read == 404 and not listed, f"{answers}, {read}, {listed}")
    return f"{len(answers)} requests got 403, the other key's job is hidden"


ATTACKS: list[Callable[[str], str]] = [full_queue, beyond_its_limits, more_than_its_scopes]
