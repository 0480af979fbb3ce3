"""Loading, sampling, decoding and whole jobs, in TRELLIS's own way and the worker's; for bench_trellis.py."""

from __future__ import annotations

import gc
import importlib
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from assets import Asset, Painter, waves
from PIL import Image, ImageDraw
from trellis_worker import determinism, graphs
from trellis_worker.checkpoints import replaced
from trellis_worker.families.trellis1 import FAMILY
from trellis_worker.family import Run
from trellis_worker.hooks import restored
from trellis_worker.placement import Placement, bind_device
from trellis_worker.protocol import Format, Params, Stage
from trellis_worker.quality import Quality
from trellis_worker.stages import Stages
from trellis_worker.texture import glb

DEVICE = torch.device("cuda")
GIB = 1 << 30
WAYS = (Quality.EXACT, Quality.BALANCED)
STAGES = ("condition", "sparse_structure", "structured_latent", "decode")
OWN: dict[str, Any] = {
    "ss_sampling_steps": 12,
    "ss_guidance_strength": 7.5,
    "slat_sampling_steps": 12,
    "slat_guidance_strength": 3.0,
    "multiimage_algo": "stochastic",
}


def params(texture_size: int = 1024, seed: int = 1) -> Params:
    """Of a job that asks for a GLB."""
    return Params(
        model="trellis-image-large",
        seed=seed,
        formats=(Format.GLB,),
        texture_size=texture_size,
        texture=True,
        mesh_simplify=0.95,
        remove_background=False,
        stl_size_mm=100.0,
        own=OWN,
    )


@contextmanager
def asked(way: Quality) -> Iterator[None]:
    OWN["quality"] = way
    yield


class Clock(Stages):
    """A job's clock that also keeps the most memory of each stage, in bytes that torch gave out."""

    def __init__(self) -> None:
        super().__init__(lambda *_step: None, threading.Event(), torch.cuda.synchronize)
        self.peaks: dict[str, int] = {}
        torch.cuda.reset_peak_memory_stats()

    def enter(self, stage: Stage, total: int = 1) -> None:
        self._note()
        super().enter(stage, total)

    def finish(self) -> Any:
        self._note()
        return super().finish()

    def _note(self) -> None:
        if self.current is not None:
            most = torch.cuda.max_memory_allocated()
            self.peaks[self.current.value] = max(self.peaks.get(self.current.value, 0), most)
        torch.cuda.reset_peak_memory_stats()


def release() -> None:
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()


class Table:
    """Rows of medians, printed as they come."""

    def __init__(self) -> None:
        print("| what | TRELLIS's own | ours | times faster |\n|---|---:|---:|---:|", flush=True)

    def row(self, what: str, exact: list[float], balanced: list[float], unit: str = "s") -> None:
        mine, theirs = statistics.median(balanced), statistics.median(exact)
        times = f"{theirs / mine:.2f}" if unit == "s" and mine else ""
        digits = 3 if unit == "s" else 2
        print(f"| {what} | {theirs:.{digits}f} {unit} | {mine:.{digits}f} {unit} | {times} |", flush=True)


def loaded(folder: Path, way: Quality) -> Any:
    """The pipeline on the GPU."""
    os.environ["TORCH_HOME"] = str(folder / "torch")
    os.environ[graphs.VARIABLE] = "on"
    with asked(way):
        pipeline = FAMILY.load(folder, way, lambda *_report: None)
    for model in pipeline.models.values():
        model.to(DEVICE)
    torch.cuda.synchronize()
    return pipeline


def load(folder: Path, table: Table, rounds: int) -> None:
    """From files in the page cache to the GPU."""
    times: dict[Quality, list[float]] = {way: [] for way in WAYS}
    pipelines: dict[Quality, Any] = {}
    for _ in range(rounds):
        for way in WAYS:
            pipelines.pop(way, None)
            release()
            started = time.monotonic()
            pipelines[way] = loaded(folder, way)
            times[way].append(time.monotonic() - started)
    table.row("load", times[Quality.EXACT], times[Quality.BALANCED])
    differing = [
        f"{name}.{key}"
        for name, model in pipelines[Quality.EXACT].models.items()
        for key, tensor in model.state_dict().items()
        if not torch.equal(tensor, pipelines[Quality.BALANCED].models[name].state_dict()[key])
    ]
    print(f"weights that differ: {differing or 'none'}", flush=True)
    pipelines.clear()
    release()


def disc() -> Any:
    picture = Image.new("RGB", (518, 518))
    ImageDraw.Draw(picture).ellipse((100, 100, 420, 420), fill=(200, 90, 40))
    return picture


def placed(pipeline: Any, low_vram: bool = False) -> Placement:
    placement = Placement(pipeline.models, DEVICE, torch.cuda.empty_cache)
    placement.choose(low_vram)
    return placement


class Flow:
    """One pipeline, asked in several ways."""

    def __init__(self, pipeline: Any) -> None:
        bind_device(pipeline, DEVICE)
        self.pipeline = pipeline
        self.played = pipeline.recorded_flow
        self.kept: dict[str, list[Any]] = {}

    def sample(self, name: str, placement: Placement, seed: int = 1) -> tuple[Clock, Any]:
        """`name`: of a quality, or `graphs`. The latents stay in `kept`."""
        way = Quality.EXACT if name == Quality.EXACT else Quality.BALANCED
        self.pipeline.recorded_flow = self.played if name == "graphs" else None
        determinism.seed_all(torch, seed)
        clock = Clock()
        with asked(way), ExitStack() as undo:
            undo.enter_context(restored(self.pipeline))
            undo.enter_context(self._keeping(self.kept.setdefault(name, [])))
            decoded = FAMILY.sample(Run(self.pipeline, placement, clock, params(seed=seed)), [disc()])
        return clock, decoded

    @contextmanager
    def _keeping(self, kept: list[Any]) -> Iterator[None]:
        """Keeps what the samplers give, and the latent that is decoded."""
        pipeline = self.pipeline
        decode = pipeline.decode_slat
        samplers = [pipeline.sparse_structure_sampler, pipeline.slat_sampler]

        def keeping(original: Any) -> Any:
            def call(*args: Any, **options: Any) -> Any:
                result = original(*args, **options)
                kept.append(getattr(result.samples, "feats", result.samples).float().cpu())
                return result

            return call

        def decoding(slat: Any, formats: list[str]) -> Any:
            self.slat = slat
            return decode(slat, formats)

        pipeline.decode_slat = decoding
        for sampler in samplers:
            sampler.sample = keeping(sampler.sample)
        try:
            yield
        finally:
            for sampler in samplers:
                vars(sampler).pop("sample", None)


def sample(flow: Flow, table: Table, rounds: int) -> None:
    """The stages from the condition to decoding."""
    placement = placed(flow.pipeline)
    ways = (Quality.EXACT, Quality.BALANCED, "graphs")
    times: dict[tuple[str, str], list[float]] = {}
    peaks: dict[str, Clock] = {}
    for number in range(rounds + 1):
        for way in ways:
            release()
            clock, decoded = flow.sample(way, placement)
            del decoded
            peaks[way] = clock
            for spent in clock.finish():
                # Ways that record do so at their first steps.
                if number:
                    times.setdefault((way, spent.stage.value), []).append(spent.ms / 1000)
    for way in ways[1:]:
        of = "" if way == Quality.BALANCED else ", with graphs"
        for stage in STAGES:
            table.row(f"{stage}{of}", times[Quality.EXACT, stage], times[way, stage])
        sums = [
            [sum(parts) for parts in zip(*(times[name, stage] for stage in STAGES), strict=True)]
            for name in (Quality.EXACT, way)
        ]
        table.row(f"sampling and decoding{of}", sums[0], sums[1])
        for stage in STAGES:
            most = [[peaks[name].peaks[stage] / GIB] for name in (Quality.EXACT, way)]
            table.row(f"most memory in {stage}{of}", most[0], most[1], "GiB")
        apart(flow, way)
    repeats = [
        float((a - b).abs().max())
        for a, b in zip(flow.kept[Quality.EXACT][-4:-2], flow.kept[Quality.EXACT][-2:], strict=True)
    ]
    print(f"TRELLIS's own from run to run: {max(repeats):.2e}", flush=True)
    graph = [torch.equal(a, b) for a, b in zip(*(flow.kept[way][-2:] for way in ways[1:]), strict=True)]
    print(f"with graphs the same latents, bit by bit: {graph}", flush=True)


def apart(flow: Flow, way: str) -> None:
    """How far the latents of a way are from TRELLIS's own."""
    pairs = zip(flow.kept[Quality.EXACT][-2:], flow.kept[way][-2:], strict=True)
    for name, (exact, ours) in zip(("sparse structure", "structured latent"), pairs, strict=True):
        difference = (exact - ours).abs()
        print(
            f"{way}, {name}: largest difference {float(difference.max()):.2e}, mean "
            f"{float(difference.mean()):.2e}, of values up to {float(exact.abs().max()):.2f}",
            flush=True,
        )


def decoding(flow: Flow, table: Table, rounds: int) -> None:
    """The mesh of one latent from the whole grid and from the surface's cubes alone."""
    surface = flow.pipeline.models["slat_decoder_mesh"].mesh_extractor
    times: dict[bool, list[float]] = {True: [], False: []}
    most, meshes = {}, {}
    for _ in range(rounds):
        for whole in (True, False):
            surface.whole = whole
            release()
            before = torch.cuda.memory_allocated()
            started = time.monotonic()
            with torch.no_grad():
                meshes[whole] = flow.pipeline.decode_slat(flow.slat, ["mesh"])["mesh"][0]
            torch.cuda.synchronize()
            times[whole].append(time.monotonic() - started)
            most[whole] = (torch.cuda.max_memory_allocated() - before) / GIB
    table.row("decode a mesh", times[True], times[False])
    table.row("memory for that, beside the models", [most[True]], [most[False]], "GiB")
    theirs, ours = meshes[True], meshes[False]
    same = torch.equal(theirs.faces, ours.faces)
    away = float((theirs.vertices - ours.vertices).abs().max()) if same else float("nan")
    print(
        f"mesh: {len(theirs.faces)} faces, the same: {same}; vertices apart by at most {away:.1e}", flush=True
    )


def low_vram(flow: Flow, table: Table) -> None:
    """The most memory of each stage while only its models are on the GPU; TRELLIS keeps its grid there."""
    placement = placed(flow.pipeline, low_vram=True)
    clocks = {}
    for way in (Quality.EXACT, Quality.BALANCED):
        release()
        clocks[way], decoded = flow.sample(way, placement)
        clocks[way].finish()
        del decoded
    for stage in STAGES:
        exact, ours = ([clocks[way].peaks[stage] / GIB] for way in (Quality.EXACT, Quality.BALANCED))
        table.row(f"low-VRAM mode, most memory in {stage}", exact, ours, "GiB")
    print(f"held by torch after it: {torch.cuda.memory_reserved() / GIB:.2f} GiB", flush=True)
    placed(flow.pipeline)


def job(flow: Flow, way: str, placement: Placement, seed: int, out: Path) -> None:
    """From a picture to a GLB on disk."""
    clock, decoded = flow.sample(way, placement, seed)
    quality_of = Quality.EXACT if way == Quality.EXACT else Quality.BALANCED
    with (
        asked(quality_of),
        FAMILY.exporting(Run(None, placement, clock, params(seed=seed)), decoded) as prepare,
    ):
        prepare(Format.GLB)(out)
    spent = ", ".join(f"{it.stage.value} {it.ms / 1000:.2f}" for it in clock.finish())
    print(f"{way}: {spent}", flush=True)


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


def queue(folder: Path, flow: Flow, table: Table, jobs: int, work: Path) -> None:
    """Whole jobs, one after the other: TRELLIS's own from the time of one, ours by one worker and by two."""
    placement = placed(flow.pipeline)
    times = {}
    with painted(flow, placement):
        for way, count in ((Quality.BALANCED, 1), (Quality.EXACT, 1), ("graphs", (jobs + 1) // 2)):
            started = time.monotonic()
            for seed in range(1, count + 1):
                job(flow, way, placement, seed, work / "one.glb")
            times[way] = (time.monotonic() - started) / count
    table.row("a job, one worker", [times[Quality.EXACT]], [times["graphs"]])
    flow.pipeline = flow.played = None
    release()
    command = [
        sys.executable,
        str(Path(__file__).with_name("bench_trellis.py")),
        str(folder),
        "--parts",
        "worker",
    ]
    command += ["--jobs", str(jobs // 2), "--go", str(work / "go")]
    workers = [subprocess.Popen(command) for _ in range(2)]
    while len(list(work.glob("ready-*"))) < len(workers):
        if any(one.poll() for one in workers):
            raise SystemExit("a worker ended early")
        time.sleep(0.01)
    started = time.monotonic()
    (work / "go").touch()
    ended = [one.wait() for one in workers]
    table.row("a job, two workers", [times[Quality.EXACT]], [(time.monotonic() - started) / jobs])
    print(f"workers ended with {ended}", flush=True)
