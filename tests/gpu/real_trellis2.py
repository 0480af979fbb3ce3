"""Runs jobs through servers whose workers have Microsoft's own TRELLIS.2 code; run by real-trellis2."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import glbs
from check import Server, check, picture, results, smi
from real_trellis import keep, probe

FEW_STEPS = {"ss_sampling_steps": 12, "shape_slat_sampling_steps": 12, "tex_slat_sampling_steps": 12}
MANY_STEPS = {name: 50 for name in FEW_STEPS}
# The least that may be asked for, so that little is left to draw.
FEW_FACES = 100_000
TEXTURE = 1024
FORMATS = ["glb", "stl", "ply", "obj", "voxels"]
RADIUS = 0.25
# In turn. Of a short stage the server tells not every step, or none.
STAGES = (
    "preprocess",
    "condition",
    "sparse_structure",
    "structured_latent",
    "texture_latent",
    "decode",
    "simplify",
    "texture",
    "export",
)
CANCELLED_IN = ("sparse_structure", "texture_latent", "decode", "simplify", "texture")
# When a job's worker is asked where it is, and when the job is cancelled as one that hangs.
SLOW_SECONDS, HUNG_SECONDS = 40, 60
LOG_SECONDS = 0.5
# What a worker said; and what comes many times a second, or once it has ended.
WORKER_LINE = re.compile(r'worker_line .* line="(.*)"')
NOISE = re.compile(r"requests: answered|Sampling|it/s|nanobind|- leaked|skipped remainder")


def tell(text: str) -> None:
    print(f"       {text}", flush=True)


# Stages that some job has told of.
known: set[str] = set()


class Jobs:
    """Jobs at a server, and their results."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.told: dict[str, tuple[int, int]] = {}
        self.last = ""

    def submit(self, seed: int = 1, pictures: int = 1, **params: Any) -> str:
        asked = {"model": "trellis2-4b", "decimation_target": FEW_FACES, "texture_size": TEXTURE, **FEW_STEPS}
        return self.server.submit(seed, pictures, **{**asked, **params})

    def follow(self, job: str, told: dict[str, tuple[int, int]]) -> Iterator[str]:
        """The stage of each progress; `told` has the last step of each. What comes is printed."""
        started, before = time.monotonic(), ("", 0)
        with self.watched(job):
            for event in self.server.followed(job):
                spent = time.monotonic() - started
                if event["type"] != "progress":
                    tell(f"{spent:5.1f} s {event['type']} {event.get('state', '')}")
                    continue
                stage, step = event["stage"], event["step"]
                # Each format has its last stages, so that stages may come again.
                if (stage == before[0] and step < before[1]) or step > event["total"]:
                    check(False, f"after step {before[1]} of {stage} came {step} of {event['total']}")
                known.add(stage)
                before = stage, step
                if stage not in told or step in {1, event["total"]}:
                    tell(f"{spent:5.1f} s {stage} {step} of {event['total']}")
                told[stage] = step, event["total"]
                yield stage

    @contextmanager
    def watched(self, job: str) -> Iterator[None]:
        """A slow job's worker says where it is in the server's log; one that hangs is cancelled."""

        def where() -> None:
            tell(f"after {SLOW_SECONDS} s the worker is asked where it is")
            os.kill(self.server.worker()["pid"], signal.SIGUSR1)

        def end() -> None:
            check(False, f"the job is cancelled: it hangs, or takes longer than {HUNG_SECONDS} s")
            self.server.call("POST", f"/v1/jobs/{job}/cancel")

        timers = [threading.Timer(SLOW_SECONDS, where), threading.Timer(HUNG_SECONDS, end)]
        with ExitStack() as undo:
            for timer in timers:
                timer.daemon = True
                timer.start()
                undo.callback(timer.cancel)
            yield

    def run(self, what: str, formats: list[str], **more: Any) -> dict[str, bytes]:
        """Runs a job to its end, tells each stage and gives its files; none where it failed."""
        return self.ended(what, formats, self.submit(formats=formats, **more))

    def again(self, what: str, formats: list[str], **settings: Any) -> dict[str, bytes]:
        """Exports the last job once more, with other settings."""
        asked = {"formats": formats, **settings}
        made = self.server.call("POST", f"/v1/jobs/{self.last}/exports", asked)
        return self.ended(what, formats, str(made["id"]))

    def ended(self, what: str, formats: list[str], id_: str) -> dict[str, bytes]:
        started = time.monotonic()
        self.last = id_
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
    ended = threading.Event()
    shown = threading.Thread(target=show, args=(home / "log", name, ended))
    shown.start()
    try:
        yield server
    except (TimeoutError, urllib.error.URLError, RuntimeError) as error:
        check(False, f"{name}: {type(error).__name__}: {error}")
        print(json.dumps(server.worker()) if server.process.poll() is None else "the server is gone")
    finally:
        server.process.terminate()
        server.process.wait(60)
        ended.set()
        shown.join()
        keep(f"log-{name}.txt", (home / "log").read_bytes())


def show(log: Path, name: str, ended: threading.Event) -> None:
    """Prints a server's log as it grows."""
    with log.open(errors="replace") as lines:
        while True:
            last = ended.wait(LOG_SECONDS)
            for line in lines:
                said = WORKER_LINE.search(line)
                if NOISE.search(line) is None:
                    print(f"  {name}| {said[1] if said else line.rstrip()}", flush=True)
            if last:
                return


def loaded(server: Server) -> None:
    started = time.monotonic()
    worker = server.ready()
    vram = worker["counters"]["vram_bytes"] / (1 << 20)
    check(True, f"all models are loaded after {time.monotonic() - started:.1f} s: {vram:.0f} MiB VRAM")


def sound(content: bytes | None, texture: int = TEXTURE) -> None:
    if content is not None:
        wrong = glbs.flaws(content, texture, RADIUS, FEW_FACES)
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


def ovoxel(content: bytes | None, side: int) -> None:
    """Whether o-voxel's own reader takes a voxel file, and its own code makes the sphere of it."""
    if content is None:
        return
    import io

    import o_voxel
    import torch

    coords, voxels = o_voxel.io.read_vxz(io.BytesIO(content))
    names = "base_color", "metallic", "roughness", "alpha", "dual_vertices", "intersected"
    check(tuple(voxels) == names, f"the voxel file has {len(coords)} voxels with {', '.join(voxels)}")
    crossed = torch.cat([voxels["intersected"] >> axis & 1 for axis in range(3)], -1).bool()
    vertices, faces = o_voxel.convert.flexible_dual_grid_to_mesh(
        coords.cuda(),
        voxels["dual_vertices"].cuda() / 255,
        crossed.cuda(),
        split_weight=None,
        grid_size=side,
        aabb=[[-0.5, -0.5, -0.5], [0.5, 0.5, 0.5]],
    )
    away = float((vertices.norm(dim=1) - RADIUS).abs().max())
    check(len(faces) > 0 and away < 0.02, f"and is the sphere: {len(faces)} faces, {away:.4f} away")
    spread = int(voxels["base_color"].max()) - int(voxels["base_color"].min())
    check(spread > 50, f"with its colours, {spread} apart")


def first(server: Server) -> None:
    """The GLB, and the ways to end early."""
    loaded(server)
    jobs = Jobs(server)
    sound(jobs.run("512, the first job", ["glb"], resolution=512).get("glb"))
    jobs.cancel("structured_latent")
    empty = server.submit(1, 1, picture(alpha=60), model="trellis2-4b")
    failed(server, "no object in the picture", "no_object", empty)


def turntable() -> list[str]:
    """Its name, where there is what writes one."""
    return ["turntable"] if importlib.util.find_spec("imageio_ffmpeg") else []


def everything(server: Server) -> None:
    """Every format, every stage, every other stage to be cancelled in."""
    jobs = Jobs(server)
    files = jobs.run("1024, every format", [*FORMATS, *turntable()], resolution=1024)
    sound(files.get("glb"))
    solid(files.get("stl"))
    made = jobs.again("exported again, with a larger texture", ["glb"], texture_size=2 * TEXTURE)
    check("sparse_structure" not in jobs.told, f"without sampling: {', '.join(jobs.told)}")
    sound(made.get("glb"), 2 * TEXTURE)
    if "glb" in files:
        textured(jobs, files["glb"])
    for stage in CANCELLED_IN:
        jobs.cancel(stage)
    jobs.run("1024, another seed", ["glb"], resolution=1024, seed=2)
    jobs.run("1536, with few tokens", ["glb"], resolution=1536, max_num_tokens=5000)
    jobs.run("two pictures", ["glb"], resolution=512, pictures=2, multiimage_algo="multidiffusion")
    jobs.run("1024, without remeshing", ["glb"], resolution=1024, remesh=False)
    for quality in ("exact", "balanced"):
        webp = {"texture_format": "webp", "quality": quality}
        sound(jobs.run(f"512 with WebP, {quality}", ["glb"], resolution=512, **webp).get("glb"))
    ovoxel(jobs.run("512 as O-Voxel", ["vxz"], resolution=512).get("vxz"), 512)


def textured(jobs: Jobs, mesh: bytes) -> None:
    """A given mesh, in both ways and at both resolutions that there are."""
    given = glbs.faces(mesh)
    for quality, side in (("balanced", 512), ("exact", 512), ("balanced", 1024)):
        asked = {"model": "trellis2-4b", "resolution": side, "texture_size": TEXTURE, "quality": quality}
        what = f"a given mesh textured at {side} {quality}"
        made = jobs.ended(what, ["glb"], jobs.server.submit(1, mesh=mesh, formats=["glb"], **asked))
        sound(made.get("glb"))
        if made:
            check("simplify" not in jobs.told, f"without a shape of its own: {', '.join(jobs.told)}")
            check(glbs.faces(made["glb"]) == given, f"its {given} faces are those that were given")


def tuning(work: Path) -> None:
    """That FlexGEMM keeps nothing for the number of texels of each job."""
    record = json.loads((work / "tuning.json").read_text())
    kept = {kernel.rpartition(".")[2]: len(found) for of in record.values() for kernel, found in of.items()}
    sampling = kept.get("indice_weighed_sum_fwd_kernel", 0)
    known = {kernel: count for kernel, count in kept.items() if count}
    check(sampling == 0, f"reading colours was timed for {sampling} jobs; of FlexGEMM's record: {known}")


def failed(server: Server, what: str, kind: str, id_: str) -> None:
    for _ in Jobs(server).follow(id_, {}):
        pass
    job = server.finished(id_)
    failure = job.get("failure") or {}
    check(
        failure.get("kind") == kind,
        f"{what}: {job['state']}, {failure.get('kind')}: {failure.get('message')}",
    )


def main(trellis: str, work: Path, ready: bool) -> int:
    name, driver, capability = smi("name,driver_version,compute_cap")
    print(f"GPU: {name}, driver {driver}, capability {capability}", flush=True)
    with running(trellis, work, "sphere") as server:
        with running(trellis, work, "dust", "--trellis2-low-vram") as dust:
            first(server)
            print("-- weights that make dust", flush=True)
            asked = Jobs(dust).submit(formats=["glb"], resolution=512)
            failed(dust, "random weights", "implausible_result", asked)
        tuning(work)
        print("-- everything else", flush=True)
        everything(server)
    print("-- low-VRAM mode", flush=True)
    with running(trellis, work, "low", "--trellis2-low-vram") as server:
        loaded(server)
        sound(Jobs(server).run("low VRAM", ["glb"], resolution=1024).get("glb"))
    print("-- the doctor's probe", flush=True)
    # Without an environment there is no xformers, whose operators it names.
    without = None if ready else "attention of TRELLIS.2"
    flags = "--model", work / "model"
    probe(trellis, work, "python-sphere", *flags, without=without, SPARSE_CONV_BACKEND="flex_gemm")
    silent = ", ".join(stage for stage in STAGES if stage not in known)
    check(not silent, f"every stage told of its steps {silent}")
    wrong = sum(not holds for holds, _ in results)
    print(f"{len(results) - wrong} passed, {wrong} failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3] == "yes"))
