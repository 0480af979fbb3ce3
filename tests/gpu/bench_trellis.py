"""TRELLIS's own ways and the worker's faster ones, in turns in one process on one GPU; run by bench-trellis.

    bench_trellis.py MODEL [--rounds N] [--parts LIST] [--jobs N] [--seconds N]

MODEL: a folder as tests/tiny_trellis/model.py --real-size writes it. LIST: of attention (what each library
takes), raster, holes, texture, textures (of further meshes), parts (of a GLB's making), load, sample, decode,
draft, batches (several jobs in one call), low_vram, again, first (jobs of fresh processes) and queue; or
`all`, what the table of docs/performance.md has. A run ends with that table, as far as it has the figures.
--jobs: how many are in the queue. --seconds: after so many no more parts are begun.

Times are medians. Sampling runs on random weights, where only time, memory and equality mean something; the
textures are of meshes with a known colour, so that there is a truth to compare with.
"""

from __future__ import annotations

import argparse
import importlib
import io
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "worker"))
warnings.filterwarnings("ignore")

import attentions  # noqa: E402 the worker is only now on the path
import batches  # noqa: E402
import flows  # noqa: E402
import glb_parts  # noqa: E402
import jobs  # noqa: E402
from assets import DEVICE, Asset, Judge, Painter, assets, torus  # noqa: E402
from budget import Budget  # noqa: E402
from flows import GIB, WAYS, Clock, Flow, asked, params, release  # noqa: E402
from table import Table  # noqa: E402
from trellis_worker import determinism  # noqa: E402
from trellis_worker.checkpoints import replaced  # noqa: E402
from trellis_worker.deferred import defer  # noqa: E402
from trellis_worker.families.trellis1 import FAMILY  # noqa: E402
from trellis_worker.family import Run  # noqa: E402
from trellis_worker.protocol import Format  # noqa: E402
from trellis_worker.quality import Quality  # noqa: E402
from trellis_worker.texture import glb, holes, kernel, observations, raster  # noqa: E402

# Of the rasterisers, at once.
VIEWS = 10
# The parts of the table in docs/performance.md, the weightiest first, and about how many seconds each takes.
TABLE = {"load": 70, "sample": 60, "texture": 120, "queue": 90, "low_vram": 30, "again": 50}
# TRELLIS's own loading takes long.
LOADS = 3


def textures(table: Table, rounds: int, some: list[Asset], draw: bool) -> None:
    """`to_glb` of meshes in their true colours, in both ways."""
    rendering = importlib.import_module("trellis.utils.render_utils")
    for asset in some:
        print(f"-- {asset.name}, {len(asset.faces)} faces", flush=True)
        decoded = asset.decoded()
        if draw:
            drawing(table, rounds, rendering, decoded["gaussian"][0])
        painter = Painter(asset)
        with replaced(rendering, "get_renderer", lambda *_asked, here=painter, **_options: here):
            bakes(table, rounds, decoded, Judge(asset, painter))


def drawing(table: Table, rounds: int, rendering: Any, splats: Any) -> None:
    """The views for a texture: as TRELLIS draws them into main memory, and kept on the GPU."""
    times: tuple[list[float], list[float]] = ([], [])
    trellis = glb.Trellis(None, rendering)
    for _ in range(rounds):
        torch.cuda.synchronize()
        started = time.monotonic()
        rendering.render_multiview(splats, resolution=1024, nviews=100)
        torch.cuda.synchronize()
        times[0].append(time.monotonic() - started)
        started = time.monotonic()
        with torch.no_grad():
            for _matrices, _pictures in glb.views(trellis, splats):
                pass
        torch.cuda.synchronize()
        times[1].append(time.monotonic() - started)
    table.row(f"100 views of {len(splats.get_xyz)} splats", *times)


def bakes(table: Table, rounds: int, decoded: dict[str, Any], judge: Any) -> None:
    """`to_glb` in both ways from views in true colours, whose drawing costs nothing."""
    times: dict[tuple[Quality, str], list[float]] = {}
    worth: dict[Quality, list[tuple[float, float]]] = {way: [] for way in WAYS}
    files: dict[Quality, set[bytes]] = {way: set() for way in WAYS}
    peaks: dict[Quality, float] = {}
    for number in range(rounds + 1):
        # TRELLIS's own way takes long, and as long the first time.
        for way in WAYS if number else WAYS[1:]:
            release()
            determinism.seed_all(torch, 1)
            clock = Clock()
            with asked(way), FAMILY.exporting(Run(None, None, clock, params()), decoded) as prepare:
                # Made as the worker makes it; `to_glb`'s result is the last argument of the export.
                made = glb_of(prepare)
            ended = clock.finish()
            peaks[way] = max(clock.peaks.values()) / GIB
            for spent in ended:
                if number:
                    times.setdefault((way, spent.stage.value), []).append(spent.ms / 1000)
            if number:
                worth[way].append(judge.worth(made))
            files[way].add(numpy.array(made.visual.material.baseColorTexture).tobytes())
    for stage in ("simplify", "texture", "export"):
        table.row(f"GLB: {stage}", times[Quality.EXACT, stage], times[Quality.BALANCED, stage])
    sums = {
        way: [sum(parts) for parts in zip(*(times[way, s] for _, s in times if _ is way), strict=True)]
        for way in WAYS
    }
    table.row("GLB in all", sums[Quality.EXACT], sums[Quality.BALANCED])
    for index, what in enumerate(("PSNR in other views", "PSNR of texels")):
        table.row(what, *([both[index] for both in worth[way]] for way in WAYS), "dB")
    table.row("most memory for the GLB", [peaks[Quality.EXACT]], [peaks[Quality.BALANCED]], "GiB")
    found = {str(way): len(textures) for way, textures in files.items()}
    print(f"different textures from the same job: {found}", flush=True)


def glb_of(prepare: Any) -> Any:
    """The trimesh that a prepared GLB would write, after it was written to memory."""
    save = prepare(Format.GLB)
    made = next(cell.cell_contents for cell in save.__closure__ if hasattr(cell.cell_contents, "visual"))
    made.export(io.BytesIO(), file_type="glb")
    return made


def rasters(table: Table, rounds: int) -> None:
    """Our rasteriser beside nvdiffrast: time of a view, and pixels that differ."""
    nvdiffrast = importlib.import_module("nvdiffrast.torch")
    context = nvdiffrast.RasterizeCudaContext()
    vertices, faces = torus(160, 82)
    surface = observations.Surface(vertices, faces, None)
    rendering = importlib.import_module("trellis.utils.render_utils")
    covered = differing = other = alone = 0
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds + 1):
        matrices = []
        for index in range(VIEWS):
            yaw, pitch = rendering.sphere_hammersley_sequence(number * VIEWS + index, rounds * VIEWS + VIEWS)
            camera = rendering.yaw_pitch_r_fov_to_extrinsics_intrinsics(yaw, pitch, 2, 40)
            matrices.append(observations.clip_matrix(*camera))
        clip = torch.nn.functional.pad(surface.vertices, (0, 1), value=1.0) @ torch.stack(matrices).mT
        torch.cuda.synchronize()
        started = time.monotonic()
        theirs = nvdiffrast.rasterize(context, clip, faces.int(), (1024, 1024))[0][..., 3].long() - 1
        torch.cuda.synchronize()
        middle = time.monotonic()
        ours = raster.rasterise(clip, faces, 1024, 1024)
        torch.cuda.synchronize()
        if number:
            times[0].append(middle - started)
            times[1].append(time.monotonic() - middle)
        with replaced(kernel, "compiled", lambda: None):
            alone += int((ours != raster.rasterise(clip, faces, 1024, 1024)).sum())
        covered += int((theirs >= 0).sum())
        differing += int(((ours >= 0) != (theirs >= 0)).sum())
        other += int((ours != theirs).sum())
    table.row(f"rasterising {VIEWS} views, 1024²", *times)
    print(f"pixels: {covered}; covered by one only: {differing}; showing another face: {other}", flush=True)
    used = kernel.compiled() is not None
    print(f"the kernel is used: {used}; pixels that torch alone draws otherwise: {alone}", flush=True)


def mended(table: Table, rounds: int) -> None:
    """Holes and hidden faces: of a torus within another, the outer one with a mouth."""
    processing = importlib.import_module("trellis.utils.postprocessing_utils")
    places = processing.sphere_hammersley_sequence
    ours = holes.fill_holes(lambda count: [places(index, count) for index in range(count)])
    (outer, shell), (inner, core) = torus(120, 60), torus(120, 60, 0.1)
    ring = torch.arange(len(shell), device=DEVICE)
    mesh = torch.cat([outer, inner]), torch.cat([shell[ring % 3600 > 40], core + len(outer)]).int()
    asked_for = {"max_hole_size": 0.04, "max_hole_nbe": 55, "resolution": 1024, "num_views": 1000}
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        results = []
        for fill, spent in zip((processing._fill_holes, ours), times, strict=True):
            torch.cuda.synchronize()
            started = time.monotonic()
            results.append(fill(*mesh, **asked_for))
            torch.cuda.synchronize()
            spent.append(time.monotonic() - started)
    table.row(f"hidden faces and holes, {len(mesh[1])} faces", *times)
    (vertices, faces), (other_vertices, other_faces) = results
    same = torch.equal(faces, other_faces) and torch.equal(vertices, other_vertices)
    print(f"faces left: {len(faces)} and {len(other_faces)}; the same mesh: {same}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--parts",
        default="attention,raster,holes,texture,textures,parts,load,sample,decode,draft,batches,low_vram,again,"
        "first,queue",
    )
    parser.add_argument("--jobs", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--go", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    parts = [part for asked in given.parts.split(",") for part in (TABLE if asked == "all" else (asked,))]
    determinism.before_torch()
    determinism.settings(torch)
    defer("nvdiffrast.torch")
    if "worker" in parts:
        jobs.worker(given.model, given.jobs, given.go)
        return
    if "fresh" in parts:
        jobs.fresh(given.model)
        return
    print(
        f"{torch.cuda.get_device_name()}, torch {torch.__version__}, {time.strftime('%Y-%m-%d')}", flush=True
    )
    bench, failed = Bench(given), []
    for part in parts:
        if not bench.budget.allows(part, TABLE.get(part, 0)):
            continue
        started = time.monotonic()
        try:
            bench.measure(part)
        except Exception:  # noqa: BLE001 what takes long to come to is measured all the same
            traceback.print_exc()
            failed.append(part)
        print(f"({part}: {time.monotonic() - started:.0f} s)", flush=True)
    print("\n".join(bench.table.summary()), flush=True)
    if failed:
        raise SystemExit(f"these parts failed: {', '.join(failed)}")


class Bench:
    """What was asked for, and what is kept from part to part."""

    def __init__(self, given: Any) -> None:
        self.given = given
        self.budget = Budget(given.seconds)
        self.table = Table()
        self._flow: Flow | None = None

    @property
    def flow(self) -> Flow:
        if self._flow is None:
            self._flow = Flow(flows.loaded(self.given.model, Quality.BALANCED))
        return self._flow

    def measure(self, part: str) -> None:
        """One part; `decode` takes the latent of the last sample."""
        rounds, table, model = self.given.rounds, self.table, self.given.model
        parts: dict[str, Callable[[], None]] = {
            "raster": lambda: rasters(table, rounds),
            "holes": lambda: mended(table, rounds),
            "texture": lambda: textures(table, rounds, assets()[:1], draw=True),
            "textures": lambda: textures(table, 1, assets()[1:], draw=False),
            "parts": lambda: glb_parts.measure(rounds),
            "load": lambda: flows.load(model, table, min(rounds, LOADS)),
            "sample": lambda: flows.sample(self.flow, table, rounds),
            "decode": lambda: flows.decoding(self.flow, table, rounds),
            "draft": lambda: flows.draft(self.flow, table, rounds),
            "attention": attentions.measure,
            "batches": lambda: batches.measure(self.flow, rounds, self.flow.voxels()),
            "low_vram": lambda: jobs.low_vram(self.flow, table),
            "again": lambda: jobs.again(self.flow, table, rounds),
            "first": self.first,
            "queue": self.queue,
        }
        if part not in parts:
            raise ValueError(f"there is no part `{part}`")
        parts[part]()

    def first(self) -> None:
        self._flow = None
        flows.release()
        jobs.first(self.given.model)

    def queue(self) -> None:
        with tempfile.TemporaryDirectory() as work:
            jobs.queue(self.flow, self.table, self.budget, self.given, Path(work))
        self._flow = None


if __name__ == "__main__":
    main()
