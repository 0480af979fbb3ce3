"""Drives a server on a machine with a GPU and compares what it says with nvidia-smi; run by run.sh."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# Five checkpoints of so many float32 numbers.
NUMBERS = 64 << 20
MODELS = 5
MIB = 1 << 20
OUT_OF_MEMORY_SEED = 13
SLOW_SEED = 17
WAIT_SECONDS = 180

FAKE = Path(__file__).parent.parent / "fake_trellis"

results: list[tuple[bool, str]] = []


def check(holds: bool, text: str) -> None:
    results.append((holds, text))
    print("ok    " if holds else "FAILED", text, flush=True)


def smi(query: str) -> list[str]:
    command = ["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader,nounits", "--id=0"]
    return [part.strip() for part in subprocess.check_output(command, text=True).strip().split(",")]


def used_mib() -> int:
    return int(smi("memory.used")[0])


def until[T](what: str, look: Callable[[], T | None]) -> T:
    """Looks until there is something, at most WAIT_SECONDS."""
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        found = look()
        if found is not None:
            return found
        time.sleep(0.2)
    raise TimeoutError(f"{what}: nothing after {WAIT_SECONDS} s")


def picture(radius: int = 26, alpha: int = 255) -> bytes:
    """A white PNG disc on nothing, of 64 × 64 pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = bytearray()
    for y in range(64):
        rows.append(0)
        for x in range(64):
            inside = (x - 32) ** 2 + (y - 32) ** 2 < radius**2
            rows += bytes((255, 255, 255, alpha if inside else 0))
    header = struct.pack(">IIBBBBB", 64, 64, 8, 6, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(rows))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


class Server:
    """A running server and its HTTP interface; `family` begins the names of the flags for its models."""

    def __init__(
        self, trellis: str, python: Path, home: Path, model: Path, *more: str, family: str = ""
    ) -> None:
        self.log = (home / "log").open("w")
        environment = {"HOME": str(home), "PATH": os.environ["PATH"], "TORCH_HOME": str(model / "torch")}
        for name in ("LD_LIBRARY_PATH", "CUDA_HOME"):
            if name in os.environ:
                environment[name] = os.environ[name]
        command = [trellis, "serve", "--port", "0", "--data-dir", str(home / "data"), "--skip-doctor"]
        command += ["--backend", "trellis", f"--{family}model", str(model), f"--{family}python", str(python)]
        command += [f"--{family}gpus", "all", *(more or ("--warm-up=false",))]
        self.process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=self.log, text=True
        )
        assert self.process.stdout is not None
        found = next(filter(None, (re.search(r"http://\S+", line) for line in self.process.stdout)), None)
        if found is None:
            raise RuntimeError("the server did not start:\n" + (home / "log").read_text())
        self.address = found[0]

    def call(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(self.address + path, method=method)
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("content-type", "application/json")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def worker(self) -> dict[str, Any]:
        return dict(self.call("GET", "/v1/workers")["workers"][0])

    def ready(self) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            worker = self.worker()
            return worker if worker["state"] == "ready" else None

        return until("a ready worker", look)

    def submit(
        self,
        seed: int,
        pictures: int = 1,
        image: bytes | None = None,
        mesh: bytes | None = None,
        **params: Any,
    ) -> str:
        url = "data:image/png;base64," + base64.b64encode(image or picture()).decode()
        body = {"images": [url] * pictures, "params": {"seed": seed, **params}, "backend": "trellis"}
        if mesh is not None:
            body["mesh"] = "data:model/gltf-binary;base64," + base64.b64encode(mesh).decode()
        return str(self.call("POST", "/v1/jobs", body)["id"])

    def followed(self, job: str) -> Iterator[dict[str, Any]]:
        """The job as each of its events tells it, to its end."""
        with urllib.request.urlopen(f"{self.address}/v1/jobs/{job}/events", timeout=WAIT_SECONDS) as answer:
            for line in answer:
                if line.startswith(b"data:"):
                    yield dict(json.loads(line[5:]))

    def finished(self, job: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            state = self.call("GET", f"/v1/jobs/{job}")
            return dict(state) if state["state"] in {"succeeded", "failed", "cancelled"} else None

        return until(f"the end of job {job}", look)


def facts(trellis: str, server: Server) -> None:
    name, driver, memory, capability, uuid = smi("name,driver_version,memory.total,compute_cap,uuid")
    print(f"GPU: {name}, driver {driver}, {memory} MiB, capability {capability}")
    worker = server.ready()
    check(worker["gpu"] == uuid, f"the worker's GPU is nvidia-smi's: {worker['gpu']}")
    check(worker["gpu_name"] == name, f"its name is {worker['gpu_name']}")
    report = subprocess.run([trellis, "doctor", "--json"], capture_output=True, text=True, check=False).stdout
    for fact in (name, driver):
        check(fact in report, f"`trellis doctor` knows {fact}")


def memory(server: Server, before: int) -> None:
    weights = MODELS * NUMBERS * 4 // MIB
    said = server.worker()["counters"]["vram_bytes"] // MIB
    loaded = used_mib() - before
    check(weights <= said <= weights + 64, f"the worker says {said} MiB for weights of {weights} MiB")
    check(loaded >= said, f"nvidia-smi says {loaded} MiB more than before, CUDA's own share included")


def jobs_in_a_row(server: Server) -> int:
    """Eight jobs; returns the memory in use after one, in MiB."""
    used: list[int] = []
    for seed in range(1, 9):
        job = server.finished(server.submit(seed))
        if job["state"] != "succeeded":
            raise RuntimeError(f"job {seed} ended {job['state']}: {job.get('failure')}")
        used.append(used_mib())
    check(max(used[1:]) - used[0] <= 32, f"eight jobs in a row leak nothing: {used} MiB")
    peak = (job.get("timings") or {}).get("peak_vram_bytes", 0)
    check(peak > 0, f"a result says its peak: {peak >> 20} MiB")
    return used[0]


def out_of_memory(server: Server) -> None:
    job = server.finished(server.submit(OUT_OF_MEMORY_SEED))
    failure = job.get("failure") or {}
    check(
        (job["state"], failure.get("kind")) == ("failed", "gpu_out_of_memory"),
        f"a true torch.cuda.OutOfMemoryError: {failure.get('kind')}: {failure.get('message')}",
    )
    server.ready()
    after = server.finished(server.submit(2))
    check(after["state"] == "succeeded", "the next job succeeds")


def killed_worker(server: Server, worked: int, before: int) -> None:
    job = server.submit(SLOW_SEED)
    until("a busy worker", lambda: True if server.worker()["state"] == "busy" else None)
    pid = server.worker()["pid"]
    os.kill(pid, signal.SIGKILL)
    half = (before + worked) // 2
    freed = until("freed GPU memory", lambda: used if (used := used_mib()) < half else None)
    check(True, f"kill -9 of a worker frees its memory: {worked} MiB to {freed} MiB")
    end = server.finished(job)
    check(end["state"] == "succeeded", f"its job succeeds on a fresh worker, attempt {end['attempt']}")
    check(server.ready()["pid"] != pid, "the worker has another process")
    again = used_mib()
    check(abs(again - worked) <= 64, f"and holds what the first held after a job: {again} MiB")


def stopped(server: Server, before: int) -> None:
    server.process.send_signal(signal.SIGTERM)
    code = server.process.wait(60)
    check(code == 0, f"SIGTERM ends the server with {code}")
    left = until("the GPU as it was", lambda: used_mib() if used_mib() <= before + 16 else None)
    check(True, f"and leaves the GPU as it was: {left} MiB")


def main(trellis: str, python: Path) -> int:
    with tempfile.TemporaryDirectory() as text:
        home = Path(text)
        model = home / "model"
        subprocess.run([sys.executable, FAKE / "model.py", model, str(NUMBERS)], check=True)
        rules = [
            {"at": "structured_latent", "step": 3, "do": "out_of_memory", "seed": OUT_OF_MEMORY_SEED},
            {"at": "structured_latent", "do": "sleep", "seconds": 1, "seed": SLOW_SEED},
        ]
        (model / "script.json").write_text(json.dumps(rules))
        before = used_mib()
        server = Server(trellis, python, home, model, "--warm-up=false", "--default-quality=exact")
        try:
            facts(trellis, server)
            memory(server, before)
            worked = jobs_in_a_row(server)
            out_of_memory(server)
            killed_worker(server, worked, before)
            stopped(server, before)
        except (TimeoutError, urllib.error.URLError, RuntimeError) as error:
            check(False, str(error))
            print(json.dumps(server.worker()) if server.process.poll() is None else "the server is gone")
            print((home / "log").read_text()[-4000:])
        finally:
            server.process.kill()
    failed = sum(not holds for holds, _ in results)
    print(f"{len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
