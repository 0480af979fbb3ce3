"""Loading, sampling and decoding, in TRELLIS's own way and the worker's; for bench_trellis.py."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from assets import DEVICE
from PIL import Image, ImageDraw
from table import SAMPLING, Table
from trellis_worker import determinism, graphs
from trellis_worker.families.trellis1 import FAMILY
from trellis_worker.family import Run
from trellis_worker.hooks import restored
from trellis_worker.placement import Placement, bind_device
from trellis_worker.protocol import Format, Params, Stage
from trellis_worker.quality import Quality
from trellis_worker.stages import Stages
from trellis_worker.turns import turn

GIB = 1 << 30
WAYS = (Quality.EXACT, Quality.BALANCED)
STAGES = SAMPLING
OWN: dict[str, Any] = {
    "ss_sampling_steps": 12,
    "ss_guidance_strength": 7.5,
    "slat_sampling_steps": 12,
    "slat_guidance_strength": 3.0,
    "multiimage_algo": "stochastic",
    "mesh_simplify": 0.95,
}


def params(texture_size: int = 1024, seed: int = 1) -> Params:
    """Of a job that asks for a GLB."""
    return Params(
        model="trellis-image-large",
        seed=seed,
        formats=(Format.GLB,),
        texture=True,
        remove_background=False,
        stl_size_mm=100.0,
        own={**OWN, "texture_size": texture_size},
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


def loaded(folder: Path, way: Quality) -> Any:
    """The pipeline on the GPU."""
    os.environ["TORCH_HOME"] = str(folder / "torch")
    os.environ.setdefault(graphs.VARIABLE, "on")
    with asked(way):
        pipeline = FAMILY.load(folder, way, lambda *_report: None)
    for model in pipeline.models.values():
        model.to(DEVICE)
    torch.cuda.synchronize()
    # As the worker does it once it is loaded.
    gc.collect()
    gc.freeze()
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
        """`name`: of a quality, or `graphs`. The latents stay in `kept`. A draft has graphs, too."""
        way = Quality(name) if name in list(Quality) else Quality.BALANCED
        self.pipeline.recorded_flow = None if name in WAYS else self.played
        determinism.seed_all(torch, seed)
        clock = Clock()
        with asked(way), turn(clock), ExitStack() as undo:
            undo.enter_context(restored(self.pipeline))
            undo.enter_context(self._keeping(self.kept.setdefault(name, [])))
            decoded = FAMILY.sample(Run(self.pipeline, placement, clock, params(seed=seed)), [disc()])
        return clock, decoded

    def voxels(self) -> Any:
        """(N, 3): those of the last latent that was decoded."""
        if not hasattr(self, "slat"):
            self.sample("graphs", placed(self.pipeline))
        return self.slat.coords[:, 1:].long()

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


def apart(flow: Flow, way: str, other: str = Quality.EXACT) -> None:
    """How far the latents of a way are from those of another, as a rule TRELLIS's own."""
    pairs = zip(flow.kept[other][-2:], flow.kept[way][-2:], strict=True)
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


def draft(flow: Flow, table: Table, rounds: int) -> None:
    """What leaving out steps saves, and how far it goes from `balanced`."""
    placement = placed(flow.pipeline)
    ways = {Quality.BALANCED: "graphs", Quality.DRAFT: "draft"}
    times: dict[Quality, list[float]] = {way: [] for way in ways}
    splats = {}
    for number in range(rounds + 1):
        for way, name in ways.items():
            release()
            clock, decoded = flow.sample(name, placement)
            splats[way] = decoded["gaussian"][0]
            spent = sum(it.ms for it in clock.finish()) / 1000
            if number:
                times[way].append(spent)
            del decoded
    # In place of TRELLIS's own stands `balanced`.
    table.row("`balanced` and `draft`: condition to decoding", times[Quality.BALANCED], times[Quality.DRAFT])
    apart(flow, "draft", "graphs")
    balanced, left_out = (splats[way] for way in ways)
    colours = (balanced._features_dc - left_out._features_dc).abs() * 0.28209479177387814
    print(f"splats' colours, from 0 to 1: mean difference {float(colours.mean()):.2e}", flush=True)
