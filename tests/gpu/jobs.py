"""Whole jobs in TRELLIS's own way and the worker's, one by one and several at once; for bench_trellis.py."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from assets import DEVICE, Asset, Painter, rounded, waves
from budget import Budget
from flows import GIB, STAGES, Clock, Flow, asked, loaded, params, placed, release
from table import Table
from trellis_worker import graphs, latent_flow, turns
from trellis_worker.checkpoints import replaced
from trellis_worker.families.trellis1 import FAMILY
from trellis_worker.family import Run
from trellis_worker.placement import Placement
from trellis_worker.protocol import Format, Stage
from trellis_worker.quality import Quality
from trellis_worker.texture import glb, kernel


# Seconds that workers take to start, and for each job of theirs, about.
START, EACH = 40, 4


def low_vram(flow: Flow, table: Table) -> None:
    """The most memory of each stage of a GLB while only a stage's models are on the GPU; TRELLIS keeps its
    grid there. TRELLIS's own texture takes long, and is left out."""
    placement = placed(flow.pipeline, low_vram=True)
    clocks = {}
    for way in (Quality.EXACT, Quality.BALANCED):
        release()
        clocks[way], decoded = flow.sample(way, placement)
        if way == Quality.BALANCED:
            with tempfile.TemporaryDirectory() as work, painted_before("cpu"):
                export(clocks[way], decoded, placement, way, Path(work) / "one.glb")
        else:
            clocks[way].finish()
        del decoded
    for stage in STAGES:
        exact, ours = ([clocks[way].peaks[stage] / GIB] for way in (Quality.EXACT, Quality.BALANCED))
        table.row(f"low-VRAM mode, most memory in {stage}", exact, ours, "GiB")
    for stage in ("simplify", "texture", "export"):
        most = clocks[Quality.BALANCED].peaks[stage] / GIB
        print(f"| low-VRAM mode, most memory in {stage} | | {most:.2f} GiB | |", flush=True)
    print(f"held by torch after it: {torch.cuda.memory_reserved() / GIB:.2f} GiB", flush=True)
    placed(flow.pipeline)


def export(clock: Clock, decoded: Any, placement: Placement, way: Quality, out: Path) -> Any:
    """A GLB on disk; gives the times of all stages."""
    with asked(way), FAMILY.exporting(Run(None, placement, clock, params()), decoded) as prepare:
        prepare(Format.GLB)(out)
    return clock.finish()


def job(flow: Flow, way: str, placement: Placement, seed: int, out: Path) -> None:
    """From a picture to a GLB on disk, and what the worker does after it."""
    clock, decoded = flow.sample(way, placement, seed)
    quality_of = Quality.EXACT if way == Quality.EXACT else Quality.BALANCED
    ended = export(clock, decoded, placement, quality_of, out)
    del decoded
    flow.kept.clear()
    release()
    spent = ", ".join(f"{it.stage.value} {it.ms / 1000:.2f}" for it in ended)
    print(f"{way}: {spent}; most memory {max(clock.peaks.values()) / GIB:.2f} GiB", flush=True)


class Painted:
    """Draws splats, and gives what a painter has in their place."""

    def __init__(self, renderer: Any, painter: Any) -> None:
        self.renderer, self.painter = renderer, painter

    def render(self, splats: Any, extrinsics: Any, intrinsics: Any, **options: Any) -> Any:
        self.renderer.render(splats, extrinsics, intrinsics, **options)
        return self.painter.render(splats, extrinsics, intrinsics)


@contextmanager
def painted(flow: Flow, placement: Placement) -> Iterator[None]:
    """Has the views of the object be in true colours, painted before: random weights have none."""
    rendering = importlib.import_module("trellis.utils.render_utils")
    _, decoded = flow.sample("graphs", placement, 0)
    mesh = decoded["mesh"][0]
    painter = Painter(Asset("object", mesh.vertices, mesh.faces, waves))
    for extrinsics, intrinsics in glb._cameras(rendering):
        painter.render(None, extrinsics, intrinsics)
    original = rendering.get_renderer
    with replaced(rendering, "get_renderer", lambda *a, **o: Painted(original(*a, **o), painter)):
        yield


def worker(folder: Path, jobs: int, go: Path) -> None:
    """One of several workers on one GPU: loads, does a job, waits for `go`, does the others."""
    flow = Flow(loaded(folder, Quality.BALANCED))
    placement = placed(flow.pipeline)
    out = go.with_name(f"{os.getpid()}.glb")
    with painted(flow, placement):
        job(flow, "graphs", placement, 0, out)
        go.with_name(f"ready-{os.getpid()}").touch()
        while not go.exists():
            time.sleep(0.01)
        for seed in range(1, jobs + 1):
            job(flow, "graphs", placement, seed, out)
    print(f"nvdiffrast was imported: {'_nvdiffrast_c' in sys.modules}", flush=True)


def queue(flow: Flow, table: Table, budget: Budget, given: Any, work: Path) -> None:
    """Whole jobs, one after the other: TRELLIS's own from the time of one, ours by one worker, by two and by
    three, which sample and decode in turns as the server has them do. `given`: the folder of the `model`, and
    how many `jobs`."""
    jobs = given.jobs
    placement = placed(flow.pipeline)
    times = {}
    with painted(flow, placement):
        for way, count in ((Quality.BALANCED, 1), (Quality.EXACT, 1), ("graphs", jobs)):
            started = time.monotonic()
            for seed in range(1, count + 1):
                job(flow, way, placement, seed, work / "one.glb")
            times[way] = (time.monotonic() - started) / count
    table.row(f"a job, {jobs} by one worker", [times[Quality.EXACT]], [times["graphs"]])
    flow.pipeline = flow.played = None
    release()
    for count in (2, 3):
        each = -(-jobs // count)
        if not budget.allows(f"a job, {count * each} by {count} workers", START + each * count * EACH):
            continue
        spent = at_once(given.model, count, each, work / f"{count}")
        table.row(f"a job, {count * each} by {count} workers", [times[Quality.EXACT]], [spent])


def at_once(folder: Path, count: int, each: int, work: Path) -> float:
    """The seconds of a job where `count` workers do `each` jobs at once."""
    work.mkdir()
    command = [sys.executable, str(Path(__file__).with_name("bench_trellis.py")), str(folder)]
    command += ["--parts", "worker", "--jobs", str(each), "--go", str(work / "go")]
    variables = os.environ | {turns.VARIABLE: str(work / "turns")}
    workers = [subprocess.Popen(command, env=variables) for _ in range(count)]
    while len(list(work.glob("ready-*"))) < len(workers):
        if any(one.poll() for one in workers):
            raise SystemExit("a worker ended early")
        time.sleep(0.01)
    started = time.monotonic()
    (work / "go").touch()
    ended = [one.wait() for one in workers]
    spent = time.monotonic() - started
    print(f"workers ended with {ended}", flush=True)
    return spent / (count * each)


def again(flow: Flow, table: Table, rounds: int) -> None:
    """A GLB made from a picture, and made once more from the latents that were kept, as `export` of a job
    does it."""
    placement = placed(flow.pipeline)
    times: tuple[list[float], list[float]] = ([], [])
    with tempfile.TemporaryDirectory() as folder, painted(flow, placement):
        out, kept = Path(folder) / "one.glb", Path(folder) / "latents"
        for _ in range(rounds):
            started = time.monotonic()
            clock, decoded = flow.sample("graphs", placement)
            FAMILY.latents(decoded)(kept)
            export(clock, decoded, placement, Quality.BALANCED, out)
            middle = time.monotonic()
            clock = Clock()
            clock.enter(Stage.DECODE)
            with asked(Quality.BALANCED):
                decoded = FAMILY.revive(Run(flow.pipeline, placement, clock, params()), kept)
            ended = export(clock, decoded, placement, Quality.BALANCED, out)
            times[0].append(middle - started)
            times[1].append(time.monotonic() - middle)
    table.row("a GLB, and the same again from kept latents", *times)
    print(", ".join(f"{it.stage.value} {it.ms / 1000:.2f}" for it in ended), flush=True)


def first(folder: Path) -> None:
    """The first job of a fresh process and the second, with each lever that compiles or records something and
    without it."""
    levers = (graphs.VARIABLE, latent_flow.VARIABLE, kernel.VARIABLE)
    command = [sys.executable, str(Path(__file__).with_name("bench_trellis.py")), str(folder)]
    for off in (None, *levers):
        variables = os.environ | {name: "off" if name == off else "on" for name in levers}
        print(f"-- {'everything on' if off is None else f'{off}=off'}", flush=True)
        subprocess.run([*command, "--parts", "fresh"], env=variables, check=True)


def fresh(folder: Path) -> None:
    """Two jobs in a process that has done nothing else."""
    flow = Flow(loaded(folder, Quality.BALANCED))
    placement = placed(flow.pipeline)
    with tempfile.TemporaryDirectory() as work, painted_before():
        for seed in (1, 2):
            started = time.monotonic()
            job(flow, "graphs", placement, seed, Path(work) / "one.glb")
            print(f"job {seed}: {time.monotonic() - started:.2f} s", flush=True)


@contextmanager
def painted_before(kept_on: Any = DEVICE) -> Iterator[None]:
    """Views of a sphere nearly as large as the object's, painted without any of the job's code."""
    rendering = importlib.import_module("trellis.utils.render_utils")
    painter = Painter(Asset("sphere", *rounded(64, 2, 0.0), waves), kept_on)
    with replaced(kernel, "compiled", lambda: None):
        for extrinsics, intrinsics in glb._cameras(rendering):
            painter.render(None, extrinsics, intrinsics)
    original = rendering.get_renderer
    with replaced(rendering, "get_renderer", lambda *a, **o: Painted(original(*a, **o), painter)):
        yield
