"""Workers that leave what is not a result, or say what nobody should hear."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hostile_worker import DEEDS
from server import Server, png, until
from withstood import holds

sys.path.append(str(Path(__file__).parent.parent / "fake_trellis"))
import model  # noqa: E402  the stand-in's, for its folder alone

DRAIN_SECONDS = 2


@contextmanager
def hostile(program: str) -> Iterator[Server]:
    """A server with one worker that is `hostile_worker.py`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model.write(folder / "model")
        python = folder / "python"
        python.write_text(f'#!/bin/sh\nexec python3 "{Path(__file__).parent / "hostile_worker.py"}" "$@"\n')
        python.chmod(0o755)
        flags = ["--model", str(folder / "model"), "--python", str(python), "--gpus", "unchecked:1"]
        flags += ["--warm-up=false", "--skip-doctor", "--drain-seconds", str(DRAIN_SECONDS)]
        with Server(program, *flags, backend="trellis") as server:
            yield server


def ends(server: Server, deed: str) -> dict[str, Any]:
    status, job = server.submit(png(64, 64), seed=list(DEEDS).index(deed) + 1)
    assert status == 202, (status, job)
    return server.finished(job["id"])


def results(job: dict[str, Any]) -> list[str]:
    """The names of its files, but for the preview."""
    return [artifact["name"] for artifact in job["artifacts"] if not artifact["preview"]]


def wrong_things(program: str) -> str:
    """a pipe, a link, a device, a folder and a sparse 1 TiB file in place of a worker's artifact, then SIGTERM"""
    with hostile(program) as server:
        slowest = 0.0
        for deed in ("pipe", "link", "device", "folder", "sparse"):
            began = time.monotonic()
            job = ends(server, deed)
            slowest = max(slowest, time.monotonic() - began)
            holds(job["state"] == "failed" and not results(job), f"{deed}: {job}")
        fine = ends(server, "fine")
        end = server.terminate()
    holds(fine["state"] == "succeeded", f"the job after them: {fine}")
    holds(end < DRAIN_SECONDS + 5, f"SIGTERM took {end:.1f} s")
    return f"each failed its job within {slowest:.1f} s, the next job succeeded, SIGTERM ended it in {end:.1f} s"


def nonsense(program: str) -> str:
    """results that are text, a truncated GLB, and GLBs without triangles, far away or with positions that are not numbers"""
    with hostile(program) as server:
        seen = {}
        for deed in ("text", "short", "nan", "far", "empty"):
            job = ends(server, deed)
            holds(job["state"] == "failed" and not results(job), f"{deed}: {job}")
            seen[deed] = job["failure"]["kind"]
    kinds = [seen[deed] for deed in ("nan", "far", "empty")]
    holds(set(kinds) == {"implausible_result"}, f"{seen}")
    return "none was delivered; the last three failed as `implausible_result`"


def wrong_latents(program: str) -> str:
    """a pipe, a link, a device, a file of 1 TiB and one reported as small in place of a worker's samples; an export of text"""
    with hostile(program) as server:
        for deed in ("latents_pipe", "latents_link", "latents_device", "latents_grown"):
            job = ends(server, deed)
            holds(job["state"] == "failed" and "latents" not in job, f"{deed}: {job}")
        large = ends(server, "latents_large")
        holds(large["state"] == "succeeded" and "latents" not in large, f"{large}")
        text = ends(server, "latents_text")
        holds(text["state"] == "succeeded" and text["latents"]["size_bytes"] == len("no tensors"), f"{text}")
        status, export = server.call(
            "POST", f"/v1/jobs/{text['id']}/exports", b'{"texture_size": 512}', content_type="application/json"
        )
        holds(status == 202, f"{status} {export}")
        export = server.finished(export["id"])
        kept = sum(path.stat().st_size for path in (server.data / "blobs").rglob("*") if path.is_file())
    holds(kept < 10_000_000, f"{kept} bytes are stored")
    holds("latents" not in export, f"{export}")
    return f"links, pipes and the rest failed their jobs, 1 TiB was forgotten, {kept / 1000:.0f} kB were stored in all"


def loud_worker(program: str) -> str:
    """a worker's message of 300 kB, 10,000 notes, 20,000 artifacts, 2^63 bytes of VRAM, escape sequences in all of them"""
    with hostile(program) as server:
        jobs = {deed: ends(server, deed) for deed in ("failure", "notes", "files")}
        _, workers = server.call("GET", "/v1/workers")
        log = server.log.read_text()
    states = {deed: job["state"] for deed, job in jobs.items()}
    holds(states == {"failure": "failed", "notes": "succeeded", "files": "failed"}, f"{states}")
    texts = [json.dumps(answer, ensure_ascii=False) for answer in (*jobs.values(), workers)]
    largest = max(len(text) for text in texts)
    holds(largest < 20_000 and len(log) < 500_000, f"{largest} bytes of JSON, {len(log)} of log")
    odd = {letter for text in [*texts, log] for letter in text if is_odd(letter)}
    holds(not odd and "\\u001b" not in "".join(texts), f"{odd} came through")
    holds(len(jobs["notes"]["notes"]) < 30, f"{len(jobs['notes']['notes'])} notes")
    holds(not jobs["notes"]["timings"].get("peak_vram_bytes"), f"{jobs['notes']['timings']}")
    return f"at most {largest / 1000:.0f} kB of JSON about a job, no control character in JSON and log"


def is_odd(letter: str) -> bool:
    return (letter < " " and letter != "\n") or "\x7f" <= letter <= "\x9f" or "\u202a" <= letter <= "\u202e"


def deaf_worker(program: str) -> str:
    """a worker that ignores messages and signals, then SIGTERM"""
    with hostile(program) as server:
        status, job = server.submit(png(64, 64), seed=list(DEEDS).index("deaf") + 1)
        assert status == 202, status

        def running() -> bool | None:
            return server.call("GET", f"/v1/jobs/{job['id']}")[1]["state"] == "running" or None

        until("the job's beginning", running, 30)
        end = server.terminate()
    holds(end < DRAIN_SECONDS + 5, f"{end:.1f} s, with a drain time of {DRAIN_SECONDS} s")
    return f"ended in {end:.1f} s, with a drain time of {DRAIN_SECONDS} s"


ATTACKS: list[Callable[[str], str]] = [wrong_things, nonsense, wrong_latents, loud_worker, deaf_worker]
