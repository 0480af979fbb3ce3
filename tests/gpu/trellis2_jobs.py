"""Whole jobs of TRELLIS.2, from a picture to a GLB, in its own way and ours; for bench_trellis2.py."""

from __future__ import annotations

import statistics
import subprocess
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from budget import Budget
from flows import GIB, release
from trellis2_glb import BALANCED, EXACT, WAYS, row, say_stages, worth
from trellis2_size import Told, decoded, params, placed, say
from trellis_worker.families import trellis2
from trellis_worker.family import Run
from trellis_worker.placement import Placement
from trellis_worker.protocol import Format, Params, Stage

SAMPLED = (
    Stage.CONDITION,
    Stage.SPARSE_STRUCTURE,
    Stage.STRUCTURED_LATENT,
    Stage.TEXTURE_LATENT,
    Stage.DECODE,
)
EXPORTED = (Stage.SIMPLIFY, Stage.TEXTURE, Stage.EXPORT)
# The sparse structure's steps are recorded as they come: all of them, before anything is timed.
WARM = {"shape_slat_sampling_steps": 1, "tex_slat_sampling_steps": 1}
# By the resolution, the smallest card that docs/trellis2.md names, in GiB, and what CUDA itself takes of it.
SMALLEST, CONTEXT = {512: 8, 1024: 8, 1536: 16}, 0.7
# Seconds that a job may take by its resolution.
USUAL = {EXACT: {512: 60.0, 1024: 130.0, 1536: 240.0}, BALANCED: {512: 25.0, 1024: 50.0, 1536: 110.0}}


@dataclass
class Whole:
    """What jobs in one way took."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    peaks: dict[str, float] = field(default_factory=dict)
    # Of the last job: what each sampler made, in main memory.
    latents: list[Any] = field(default_factory=list)
    worth: dict[str, float] = field(default_factory=dict)

    def add(self, clock: Told) -> None:
        for spent in clock.finish():
            self.seconds.setdefault(spent.stage.value, []).append(spent.ms / 1000)
        for stage, most in clock.peaks.items():
            self.peaks[stage] = max(self.peaks.get(stage, 0.0), most / GIB)

    def of(self, stages: tuple[Stage, ...]) -> float:
        """The sum of the stages' medians, in seconds."""
        entered = [self.seconds[stage.value] for stage in stages if stage.value in self.seconds]
        return sum(map(statistics.median, entered))


@contextmanager
def keeping(pipeline: Any, kept: list[Any]) -> Iterator[None]:
    """While it is open, `kept` gets what each sampler makes."""
    with ExitStack() as undo:
        for name in trellis2.SAMPLERS:
            sampler = getattr(pipeline, name)

            def sample(*args: Any, original: Any = sampler.sample, **options: Any) -> Any:
                result = original(*args, **options)
                kept.append(getattr(result.samples, "feats", result.samples).float().cpu())
                return result

            sampler.sample = sample
            undo.callback(vars(sampler).pop, "sample", None)
        yield


def sample(pipeline: Any, placement: Placement, asked: Params, kept: list[Any]) -> tuple[Told, Any]:
    """The decoded mesh, and the clock that still runs."""
    release()
    clock = Told()
    kept.clear()
    with keeping(pipeline, kept):
        result = decoded(pipeline, clock, asked, placement)
    return clock, result


def job(pipeline: Any, placement: Placement, asked: Params, out: Path, whole: Whole) -> None:
    """From a picture to a GLB on disk; its times and its memory go to `whole`."""
    clock, result = sample(pipeline, placement, asked, whole.latents)
    with trellis2.FAMILY.exporting(Run(pipeline, placement, clock, asked), result) as prepare:
        prepare(Format.GLB)(out)
    whole.add(clock)
    mesh = result.mesh
    say(f"|   {len(mesh.coords)} voxels, {len(mesh.faces)} faces, made at {result.sampled.resolution}")


def compare(pipeline: Any, asked: dict[str, Any], rounds: int, budget: Budget, out: Path) -> None:
    """Whole jobs of the same parameters in both ways; sampling and decoding in turns, if there are more rounds."""
    side = asked["resolution"]
    placement = placed(pipeline, False)
    found: dict[str, Whole] = {}
    for way in reversed(WAYS):
        if not budget.allows(f"{side}, {way}", USUAL[way].get(side, USUAL[way][1536])):
            continue
        say(f"-- {side}, {way}")
        try:
            if way == BALANCED:
                # Kernels are compiled, and libraries prepare themselves.
                job(pipeline, placement, params(**asked, **WARM), out, Whole())
            found[way] = Whole()
            job(pipeline, placement, params(**asked, quality=way), out, found[way])
            found[way].worth = worth(out, pipeline.stripes)
        except Exception:  # noqa: BLE001 the other way is measured all the same
            traceback.print_exc()
            found.pop(way, None)
    for _ in range(rounds - 1):
        for way, whole in found.items():
            if budget.allows(f"{side}, {way}, sampling again", whole.of(SAMPLED)):
                clock, _ = sample(pipeline, placement, params(**asked, quality=way), whole.latents)
                whole.add(clock)
    if len(found) == len(WAYS):
        table(side, found)
    for way, whole in found.items():
        most = ", ".join(f"{stage} {gib:.2f}" for stage, gib in whole.peaks.items())
        spent = ", ".join(f"{stage} {statistics.median(of):.2f}" for stage, of in whole.seconds.items())
        say(f"{side}, {way}: {whole.of((*SAMPLED, *EXPORTED)):.2f} s: {spent}; GiB: {most}")


def table(side: int, found: dict[str, Whole]) -> None:
    """Both ways side by side, in the form of docs/performance.md."""
    say(f"| at {side} | TRELLIS.2's own | ours | times faster |\n|---|---:|---:|---:|")
    for stage in (*SAMPLED, *EXPORTED):
        row(stage.value.replace("_", " "), {way: found[way].of((stage,)) for way in WAYS})
    for what, stages in (
        ("condition, sampling and decoding", SAMPLED),
        ("the GLB", EXPORTED),
        ("a picture to a GLB", (*SAMPLED, *EXPORTED)),
    ):
        row(what, {way: found[way].of(stages) for way in WAYS})
    for what, stages in (("sampling and decoding", SAMPLED), ("the GLB", EXPORTED)):
        most = {way: max(found[way].peaks.get(stage.value, 0.0) for stage in stages) for way in WAYS}
        row(f"most memory, {what}", most, "GiB")
    for name in found[EXACT].worth.keys() & found[BALANCED].worth.keys():
        row(f"PSNR, {name}", {way: found[way].worth[name] for way in WAYS}, "dB")
    for number, (theirs, ours) in enumerate(zip(*(found[way].latents for way in WAYS), strict=True), 1):
        say(apart(number, theirs, ours))


def apart(number: int, theirs: Any, ours: Any) -> str:
    """How far one sampler's latents are from TRELLIS.2's own."""
    if theirs.shape != ours.shape:
        return f"latents {number}: {tuple(theirs.shape)} and {tuple(ours.shape)}"
    off = (theirs - ours).abs()
    return (
        f"latents {number}: largest difference {float(off.max()):.2e}, mean {float(off.mean()):.2e}, "
        f"of values up to {float(theirs.abs().max()):.2f}"
    )


@contextmanager
def card(gib: float) -> Iterator[None]:
    """While it is open, torch may take so much of the GPU's memory."""
    whole = torch.cuda.get_device_properties(0).total_memory / GIB
    torch.cuda.set_per_process_memory_fraction(min(1.0, gib / whole))
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def memory(pipeline: Any, side: int, low: bool, budget: Budget, out: Path, mesh: Path | None = None) -> None:
    """The most memory of each stage of our way. In low-VRAM mode, where each model is on the GPU for its stage alone, there
    is no more of it than the smallest card has that may do it. `mesh`: is textured in place of a new one."""
    what = f"{side}, {'low VRAM' if low else 'all models'}{', a mesh textured' if mesh else ''}"
    if not budget.allows(what, USUAL[BALANCED].get(side, USUAL[BALANCED][1536])):
        return
    placement, asked = placed(pipeline, low), params(resolution=side)
    release()
    clock = Told()
    with used() as device, card(SMALLEST[side] - CONTEXT) if low else nullcontext():
        result = decoded(pipeline, clock, asked, placement, mesh)
        with trellis2.FAMILY.exporting(Run(pipeline, placement, clock, asked, mesh), result) as prepare:
            prepare(Format.GLB)(out)
    ended = clock.finish()
    most = max(clock.peaks.values()) / GIB
    allowed = f" of {SMALLEST[side] - CONTEXT:.1f} allowed" if low else ""
    held = f", {max(device) / 1024:.2f} in use on the GPU" if device else ""
    say(f"-- {what}: {most:.2f} GiB at most by torch{allowed}{held}")
    if mesh is None:
        say(f"|   {len(result.mesh.coords)} voxels")
    say_stages(clock, ended)


@contextmanager
def used() -> Iterator[list[int]]:
    """After it closes: samples of the GPU memory in use, in MiB. CuMesh takes memory that torch does not know of,
    and holds Python's lock meanwhile, so that another process has to look."""
    found: list[int] = []
    command = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits", "--id=0", "-lms", "20"]
    with tempfile.TemporaryFile("w+") as log:
        try:
            looking = subprocess.Popen(command, stdout=log)
        except FileNotFoundError:
            yield found
            return
        try:
            yield found
        finally:
            looking.terminate()
            looking.wait()
            log.seek(0)
            found += [int(line) for line in log if line.strip().isdigit()]
