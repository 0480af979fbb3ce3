"""Clients that ask for more of one result than anybody needs."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from server import MIB, Server, png
from withstood import holds

COUNT = 200
ACCEPTED = 202


def many_exports(program: str) -> str:
    """200 exports of one result at once, as voxels of 256 a side, and the job deleted meanwhile"""
    with Server(program) as server:
        _, job = server.submit(png(400, 400))
        done = server.finished(job["id"])
        size = sum(file["size_bytes"] for file in done["artifacts"])
        blobs = server.data / "blobs"
        before, idle = used(blobs), server.memory()
        server.forget_most_memory()
        path = f"/v1/jobs/{job['id']}/exports"
        body = json.dumps({"format": "voxels", "voxel_resolution": 256}).encode()

        def ask(_: int) -> tuple[int, str]:
            status, answer = server.call("POST", path, body, content_type="application/json", cache_control="no-cache")
            return status, answer.get("id", "")

        with ThreadPoolExecutor(32) as pool:
            asking = [pool.submit(ask, number) for number in range(COUNT)]
            time.sleep(0.2)
            slowest = server.health_seconds()
            deleted, _ = server.call("DELETE", f"/v1/jobs/{job['id']}")
            while not all(one.done() for one in asking):
                slowest = max(slowest, server.health_seconds())
                time.sleep(0.1)
        answers = Counter(one.result()[0] for one in asking)
        late = time.monotonic() + 60
        while not succeeded(server) and time.monotonic() < late:
            time.sleep(0.1)
        disk, grown = (used(blobs) - before) // MIB, (server.memory("VmHWM") - idle) // MIB
        # What was asked for and made may stay; a copy of the model for each that waits may not.
        kept = succeeded(server)
        made = sum(file["size_bytes"] for job in kept for file in job["artifacts"]) // MIB
        server.cancel_all()
    holds(set(answers) <= {ACCEPTED, 404} and answers[ACCEPTED] > 0 and deleted == 204, f"{answers}, deleted: {deleted}")
    holds(slowest < 2 and kept != [], f"health {slowest:.1f} s, {len(kept)} made in 60 s")
    holds(disk <= 64 + size // MIB + made and grown <= 512, f"{disk} MiB of disk, {made} made, {grown} MiB of memory")
    return (
        f"{answers[ACCEPTED]} accepted before the job was gone and {answers[404]} refused after, made one at a time, {disk} MiB "
        f"more disk, {grown} MiB more memory, health answered within {slowest:.2f} s"
    )


def succeeded(server: Server) -> list[dict[str, Any]]:
    """The exports that were made."""
    _, listed = server.call("GET", "/v1/jobs?state=succeeded&limit=100")
    jobs: list[dict[str, Any]] = listed["jobs"]
    return jobs


def used(folder: Path) -> int:
    """Bytes on disk under a folder, each file once however many names it has."""
    seen: dict[int, int] = {}
    for path in folder.rglob("*"):
        if path.is_file():
            status = path.stat()
            seen[status.st_ino] = status.st_blocks * 512
    return sum(seen.values())


ATTACKS: list[Callable[[str], str]] = [many_exports]
