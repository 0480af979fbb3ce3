"""Runs jobs through servers whose workers have Microsoft's own TRELLIS.2 code; run by real-trellis2."""

from __future__ import annotations

import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import glbs
from check import Server, check, picture, results, smi
from real_trellis import keep

FEW_STEPS = {"ss_sampling_steps": 12, "shape_slat_sampling_steps": 12, "tex_slat_sampling_steps": 12}
MANY_STEPS = {name: 50 for name in FEW_STEPS}
# The least that may be asked for, so that little is left to draw.
FEW_FACES = 100_000
TEXTURE = 1024
RADIUS = 0.25
# What each stage says last, at a resolution of 1024: two flows for the shape, two decoders of four levels.
STEPS = {
    "condition": 2,
    "sparse_structure": 12,
    "structured_latent": 24,
    "texture_latent": 12,
    "decode": 8,
    "simplify": 4,
    "texture": 2,
    "export": 1,
}
CANCELLED_IN = ("sparse_structure", "structured_latent", "texture_latent", "decode", "simplify", "texture")


class Jobs:
    """Jobs at a server, and their results."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def submit(self, seed: int = 1, pictures: int = 1, **params: Any) -> str:
        asked = {"model": "trellis2-4b", "decimation_target": FEW_FACES, "texture_size": TEXTURE, **FEW_STEPS}
        return self.server.submit(seed, pictures, **{**asked, **params})

    def follow(self, job: str, told: dict[str, tuple[int, int]]) -> Iterator[str]:
        """The stage of each progress; `told` has the last step of each."""
        for event in self.server.followed(job):
            if event["type"] == "progress":
                told[event["stage"]] = event["step"], event["total"]
                yield event["stage"]

    def run(self, what: str, formats: list[str], **more: Any) -> dict[str, bytes]:
        """Runs a job to its end, tells each stage and gives its files; none where it failed."""
        started = time.monotonic()
        id_ = self.submit(formats=formats, **more)
        told: dict[str, tuple[int, int]] = {}
        for _ in self.follow(id_, told):
            pass
        seconds = time.monotonic() - started
        job = self.server.finished(id_)
        if job["state"] != "succeeded":
            failure = job.get("failure") or {}
            check(False, f"{what}: {failure.get('kind')}: {failure.get('message')}")
            return {}
        files = {}
        for file in job["artifacts"]:
            url = f"{self.server.address}/v1/jobs/{id_}/artifacts/{file['name']}"
            with urllib.request.urlopen(url, timeout=60) as answer:
                files[file["format"]] = answer.read()
            keep(f"{what.partition(',')[0].replace(' ', '-')}-{file['name']}", files[file["format"]])
        peak = job["timings"]["peak_vram_bytes"] / (1 << 30)
        sizes = ", ".join(f"{name} {len(content)} bytes" for name, content in files.items())
        check(set(files) == set(formats), f"{what} in {seconds:.1f} s: {sizes}; peak VRAM {peak:.2f} GiB")
        for stage in job["timings"]["stages"]:
            step, total = told.get(stage["stage"], (0, 0))
            print(f"       {stage['stage']}: {step} of {total} steps told, {stage['ms'] / 1000:.2f} s")
        for note in job.get("notes", []):
            print(f"       note: {note}")
        self.told = told
        return files

    def cancel(self, stage: str) -> None:
        """Cancels a job while it is in a stage."""
        pid = self.server.worker()["pid"]
        id_ = self.submit(formats=["glb"], resolution=1024, **MANY_STEPS)
        told: dict[str, tuple[int, int]] = {}
        asked = None
        for now in self.follow(id_, told):
            if now == stage and asked is None:
                asked = time.monotonic()
                self.server.call("POST", f"/v1/jobs/{id_}/cancel")
        job = self.server.finished(id_)
        spent = time.monotonic() - (asked or time.monotonic())
        last = list(told.items())[-1] if told else None
        check(
            job["state"] == "cancelled" and asked is not None,
            f"cancelled in {stage}: {job['state']} after {spent:.2f} s, last heard of {last}",
        )
        check(self.server.ready()["pid"] == pid, "and its worker is ready again, the same")


@contextmanager
def running(trellis: str, work: Path, name: str, *flags: str) -> Iterator[Server]:
    """A server whose troubles become a failed check. `name`: of its interpreter's launcher."""
    home = work / f"home-{name}"
    home.mkdir()
    flags = ("--warm-up=false", *flags)
    server = Server(trellis, work / f"python-{name}", home, work / "model", *flags, family="trellis2-")
    try:
        yield server
    except (TimeoutError, urllib.error.URLError, RuntimeError) as error:
        check(False, f"{name}: {type(error).__name__}: {error}")
        print(json.dumps(server.worker()) if server.process.poll() is None else "the server is gone")
    finally:
        server.process.terminate()
        server.process.wait(60)
        log = (home / "log").read_bytes()
        keep(f"log-{name}.txt", log)
        if not all(holds for holds, _ in results):
            print(log[-3000:].decode("utf-8", "replace"), flush=True)


def loaded(server: Server) -> None:
    started = time.monotonic()
    worker = server.ready()
    vram = worker["counters"]["vram_bytes"] / (1 << 20)
    check(True, f"all models are loaded after {time.monotonic() - started:.1f} s: {vram:.0f} MiB VRAM")


def sound(content: bytes | None) -> None:
    if content is not None:
        wrong = glbs.flaws(content, TEXTURE, RADIUS, FEW_FACES)
        check(not wrong, f"the GLB is whole and has its materials {'; '.join(wrong)}")


def solid(content: bytes | None) -> None:
    """Whether an STL is closed, and its faces look outwards: a printer's program asks for both."""
    if content is None:
        return
    import io

    import trimesh

    mesh = trimesh.load(io.BytesIO(content), file_type="stl")
    check(mesh.is_watertight, f"the STL is closed: {len(mesh.faces)} faces")
    check(mesh.is_winding_consistent, "all faces of the STL look to one side")
    check(mesh.volume > 0, f"and that is the outer one: {mesh.volume:.0f} mm³")


def everything(server: Server) -> None:
    """Every format, every stage, and every way to end early."""
    loaded(server)
    jobs = Jobs(server)
    sound(jobs.run("512, the first job", ["glb"], resolution=512).get("glb"))
    files = jobs.run("1024, every format", ["glb", "stl", "ply"], resolution=1024)
    sound(files.get("glb"))
    solid(files.get("stl"))
    jobs.run("1024, another seed", ["glb"], resolution=1024, seed=2)
    wrong = {
        stage: jobs.told.get(stage)
        for stage, total in STEPS.items()
        if jobs.told.get(stage) != (total, total)
    }
    check(not wrong, f"each stage told its last step {wrong or ''}")
    jobs.run("1024, without remeshing", ["glb"], resolution=1024, remesh=False)
    for stage in CANCELLED_IN:
        jobs.cancel(stage)
    jobs.run("after all that", ["glb"], resolution=512, seed=2)
    jobs.run("1536, with few tokens", ["glb"], resolution=1536, max_num_tokens=5000)
    jobs.run("two pictures", ["glb"], resolution=512, pictures=2, multiimage_algo="multidiffusion")
    empty = server.submit(1, 1, picture(0), model="trellis2-4b")
    failed(server, "no object in the picture", "no_object", empty)


def failed(server: Server, what: str, kind: str, id_: str) -> None:
    job = server.finished(id_)
    failure = job.get("failure") or {}
    check(
        failure.get("kind") == kind,
        f"{what}: {job['state']}, {failure.get('kind')}: {failure.get('message')}",
    )


def main(trellis: str, work: Path) -> int:
    name, driver, capability = smi("name,driver_version,compute_cap")
    print(f"GPU: {name}, driver {driver}, capability {capability}", flush=True)
    with running(trellis, work, "sphere") as server:
        everything(server)
    print("-- low-VRAM mode", flush=True)
    with running(trellis, work, "low", "--trellis2-low-vram") as server:
        loaded(server)
        sound(Jobs(server).run("low VRAM", ["glb"], resolution=1024).get("glb"))
    print("-- weights that make dust", flush=True)
    with running(trellis, work, "dust", "--trellis2-low-vram") as server:
        failed(
            server,
            "random weights",
            "implausible_result",
            Jobs(server).submit(formats=["glb"], resolution=512),
        )
    wrong = sum(not holds for holds, _ in results)
    print(f"{len(results) - wrong} passed, {wrong} failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
