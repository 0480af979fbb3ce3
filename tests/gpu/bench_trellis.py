"""TRELLIS's own ways and the worker's faster ones, in turns in one process on one GPU; run by bench-trellis.

    bench_trellis.py MODEL [--rounds N] [--parts LIST]

MODEL: a folder as tests/tiny_trellis/model.py --real-size writes it. LIST: of raster, holes, texture, load
and sample.

Times are medians. Sampling runs on random weights, where only time, memory and equality mean something; the
texture is of a mesh with a known colour, so that there is a truth to compare with.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import io
import math
import os
import statistics
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy
import torch
from PIL import Image, ImageDraw

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "worker"))
warnings.filterwarnings("ignore")

from trellis_worker import determinism  # noqa: E402 the worker is only now on the path
from trellis_worker.checkpoints import replaced  # noqa: E402
from trellis_worker.families.trellis1 import FAMILY  # noqa: E402
from trellis_worker.family import Run  # noqa: E402
from trellis_worker.hooks import restored  # noqa: E402
from trellis_worker.placement import Placement, bind_device  # noqa: E402
from trellis_worker.protocol import Format, Params  # noqa: E402
from trellis_worker.quality import Quality  # noqa: E402
from trellis_worker.stages import Stages  # noqa: E402
from trellis_worker.texture import bake, glb, holes, observations, raster  # noqa: E402

DEVICE = torch.device("cuda")
GIB = 1 << 30
# Compared: a draft does less, so that nothing of it is equal.
WAYS = (Quality.EXACT, Quality.BALANCED)
# Of the rasterisers, at once.
VIEWS = 10
# Cameras that no texture is made from.
HELD_OUT = 37
OWN: dict[str, Any] = {
    "ss_sampling_steps": 12,
    "ss_guidance_strength": 7.5,
    "slat_sampling_steps": 12,
    "slat_guidance_strength": 3.0,
    "multiimage_algo": "stochastic",
}


def params(texture_size: int = 1024) -> Params:
    """Of a job that asks for a GLB."""
    return Params(
        model="trellis-image-large",
        seed=1,
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
    """Has jobs ask for it."""
    OWN["quality"] = way
    yield


def stages() -> Stages:
    return Stages(lambda *_step: None, threading.Event(), torch.cuda.synchronize)


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


def load(folder: Path, table: Table, rounds: int) -> Any:
    """From files in the page cache to the GPU."""
    os.environ["TORCH_HOME"] = str(folder / "torch")
    times: dict[Quality, list[float]] = {way: [] for way in WAYS}
    pipelines: dict[Quality, Any] = {}
    for _ in range(rounds):
        for way in WAYS:
            pipelines.pop(way, None)
            release()
            with asked(way):
                started = time.monotonic()
                pipeline = FAMILY.load(folder, way, lambda *_report: None)
                for model in pipeline.models.values():
                    model.to(DEVICE)
                torch.cuda.synchronize()
                times[way].append(time.monotonic() - started)
            pipelines[way] = pipeline
    table.row("load", times[Quality.EXACT], times[Quality.BALANCED])
    differing = [
        f"{name}.{key}"
        for name, model in pipelines[Quality.EXACT].models.items()
        for key, tensor in model.state_dict().items()
        if not torch.equal(tensor, pipelines[Quality.BALANCED].models[name].state_dict()[key])
    ]
    print(f"weights that differ: {differing or 'none'}", flush=True)
    del pipelines[Quality.BALANCED]
    release()
    return pipelines[Quality.EXACT]


def disc() -> Any:
    picture = Image.new("RGB", (518, 518))
    ImageDraw.Draw(picture).ellipse((100, 100, 420, 420), fill=(200, 90, 40))
    return picture


def sample(pipeline: Any, table: Table, rounds: int) -> dict[str, Any]:
    """The stages from the condition to decoding; what was decoded last."""
    bind_device(pipeline, DEVICE)
    placement = Placement(pipeline.models, DEVICE, torch.cuda.empty_cache)
    placement.low_vram = False
    times: dict[tuple[Quality, str], list[float]] = {}
    peaks: dict[Quality, float] = {}
    latents: dict[Quality, list[Any]] = {}
    decoded: dict[str, Any] = {}
    for number in range(rounds + 1):
        for way in WAYS:
            decoded = {}
            release()
            determinism.seed_all(torch, 1)
            clock = stages()
            with asked(way), restored(pipeline), recorded(pipeline, latents.setdefault(way, [])):
                decoded = FAMILY.sample(Run(pipeline, placement, clock, params()), [disc()])
            peaks[way] = torch.cuda.max_memory_allocated() / GIB
            for spent in clock.finish():
                if number:
                    times.setdefault((way, spent.stage.value), []).append(spent.ms / 1000)
    for stage in ("condition", "sparse_structure", "structured_latent", "decode"):
        table.row(stage, times[Quality.EXACT, stage], times[Quality.BALANCED, stage])
    sums = {
        way: [sum(parts) for parts in zip(*(times[way, s] for _, s in times if _ is way), strict=True)]
        for way in WAYS
    }
    table.row("sampling and decoding", sums[Quality.EXACT], sums[Quality.BALANCED])
    table.row("most memory until then", [peaks[Quality.EXACT]], [peaks[Quality.BALANCED]], "GiB")
    names = ("sparse structure", "structured latent")
    for name, exact, balanced in zip(names, *(latents[way][-2:] for way in WAYS), strict=True):
        apart = (exact - balanced).abs()
        print(
            f"{name}: largest difference {float(apart.max()):.2e}, mean {float(apart.mean()):.2e}, "
            f"of values up to {float(exact.abs().max()):.2f}"
        )
    again = latents[Quality.EXACT][-4:-2]
    repeats = [float((a - b).abs().max()) for a, b in zip(again, latents[Quality.EXACT][-2:], strict=True)]
    print(f"TRELLIS's own from run to run: {max(repeats):.2e}", flush=True)
    return decoded


@contextmanager
def recorded(pipeline: Any, kept: list[Any]) -> Iterator[None]:
    """Keeps what the samplers give."""
    samplers = [pipeline.sparse_structure_sampler, pipeline.slat_sampler]
    originals = [sampler.sample for sampler in samplers]

    def keeping(original: Any) -> Any:
        def call(*args: Any, **options: Any) -> Any:
            result = original(*args, **options)
            kept.append(getattr(result.samples, "feats", result.samples).float().cpu())
            return result

        return call

    for sampler, original in zip(samplers, originals, strict=True):
        sampler.sample = keeping(original)
    try:
        yield
    finally:
        for sampler in samplers:
            vars(sampler).pop("sample", None)


def colour(place: Any) -> Any:
    """What is painted at (N, 3): soft waves, and stripes with sharp edges."""
    waves = 0.5 + 0.25 * torch.sin(place * 31 + place.roll(1, 1) * 17)
    stripes = (torch.sin(place[:, 2:] * 60) > 0.6).to(place.dtype)
    return waves * (1 - 0.5 * stripes)


def torus(rings: int, sides: int, thickness: float = 0.13) -> tuple[Any, Any]:
    """A bumpy one around the Z axis: vertices, faces."""
    u = torch.arange(rings, device=DEVICE) / rings * 2 * math.pi
    v = torch.arange(sides, device=DEVICE) / sides * 2 * math.pi
    u, v = torch.meshgrid(u, v, indexing="ij")
    tube = thickness * (1 + 0.12 * torch.sin(9 * u) * torch.sin(5 * v))
    out = 0.3 + tube * torch.cos(v)
    vertices = torch.stack((out * torch.cos(u), out * torch.sin(u), tube * torch.sin(v)), -1).reshape(-1, 3)
    index = torch.arange(rings * sides, device=DEVICE).view(rings, sides)
    a, b = index, index.roll(-1, 0)
    c, d = b.roll(-1, 1), a.roll(-1, 1)
    corners = ((a, b, c), (a, c, d))
    return vertices, torch.cat([torch.stack(three, -1).reshape(-1, 3) for three in corners])


def asset() -> dict[str, Any]:
    """The torus as the decoders would give it: a mesh of 259,200 faces and splats on its surface."""
    representations = importlib.import_module("trellis.representations")
    vertices, faces = torus(480, 270)
    mesh = representations.MeshExtractResult(vertices, faces)
    places, _ = torus(1080, 540)
    count = len(places)
    splats = representations.Gaussian(
        aabb=[-0.5, -0.5, -0.5, 1, 1, 1], sh_degree=0, mininum_kernel_size=0.0009, scaling_bias=0.004,
        opacity_bias=0.1, scaling_activation="softplus",
    )  # fmt: skip
    splats.from_xyz(places)
    splats.from_features(((colour(places) - 0.5) / 0.28209479177387814)[:, None])
    splats.from_scaling(torch.full((count, 3), 0.0014, device=DEVICE))
    splats.from_rotation(torch.tensor([1.0, 0, 0, 0], device=DEVICE).expand(count, 4))
    splats.from_opacity(torch.full((count, 1), 0.95, device=DEVICE))
    return {"mesh": [mesh], "gaussian": [splats]}


class Painter:
    """Draws the torus in its true colours in place of its splats, each view once."""

    def __init__(self) -> None:
        self.surface = observations.Surface(*torus(480, 270), None)
        self.drawn: dict[bytes, Any] = {}

    def render(self, _splats: Any, extrinsics: Any, intrinsics: Any, **_options: Any) -> dict[str, Any]:
        key = extrinsics.cpu().numpy().tobytes()
        if key not in self.drawn:
            self.drawn[key] = self.draw(observations.clip_matrix(extrinsics, intrinsics))
        # A quarter more, so that no rounding takes one off.
        return {"color": (self.drawn[key].float() + 0.25) / 255}

    def draw(self, matrix: Any, side: int = 1024, samples: int = 3) -> Any:
        """(3, side, side) uint8, each pixel the mean of nine."""
        fine, faces = side * samples, self.surface.faces
        positions = torch.nn.functional.pad(self.surface.vertices, (0, 1), value=1.0) @ matrix.T
        face_of = raster.rasterise(positions[None], faces, fine, fine).view(-1)
        pixel = (face_of >= 0).nonzero()[:, 0]
        share = raster.shares(positions[None], faces, face_of[pixel], pixel, (fine, fine)).here
        drawn = torch.zeros(fine * fine, 3, device=DEVICE)
        drawn[pixel] = colour((share[..., None] * self.surface.vertices[faces[face_of[pixel]]]).sum(1))
        drawn = torch.nn.functional.avg_pool2d(drawn.view(fine, fine, 3).permute(2, 0, 1), samples)
        return (drawn.flip(1) * 255).round().byte()


class Judge:
    """What a textured mesh is worth beside its splats and beside the truth."""

    def __init__(self, splats: Any) -> None:
        rendering = importlib.import_module("trellis.utils.render_utils")
        renderer = rendering.get_renderer(splats, resolution=1024, bg_color=(0, 0, 0))
        sequence = rendering.sphere_hammersley_sequence
        places = [sequence(index, HELD_OUT, (0.3, 0.17)) for index in range(HELD_OUT)]
        cameras = rendering.yaw_pitch_r_fov_to_extrinsics_intrinsics(
            [yaw for yaw, _ in places], [pitch for _, pitch in places], 2, 40
        )
        self.views = []
        for extrinsics, intrinsics in zip(*cameras, strict=True):
            drawn = (renderer.render(splats, extrinsics, intrinsics)["color"] * 255).clamp(0, 255).byte()
            matrix = observations.clip_matrix(extrinsics, intrinsics)
            self.views.append((matrix[None], drawn.permute(1, 2, 0)[None]))

    def worth(self, made: Any) -> tuple[float, float]:
        """PSNR in views that the texture was not made from, and of its texels."""
        turned = numpy.asarray(made.vertices)[:, [0, 2, 1]] * [1, -1, 1]
        surface = observations.Surface(
            torch.tensor(turned, dtype=torch.float32, device=DEVICE),
            torch.tensor(numpy.asarray(made.faces), device=DEVICE),
            torch.tensor(numpy.asarray(made.visual.uv), dtype=torch.float32, device=DEVICE),
        )
        texture = torch.tensor(numpy.array(made.visual.material.baseColorTexture), device=DEVICE)[..., :3]
        texture = (texture.float() / 255).permute(2, 0, 1).flip(1)
        size = texture.shape[1]
        pyramid = bake.Pyramid.of(texture)
        squares = []
        for matrix, picture in self.views:
            seen = observations.observe(surface, matrix, picture, size)
            squares.append(((pyramid.at(seen.place, seen.footprint) - seen.colour / 255) ** 2).flatten())
        flat = torch.nn.functional.pad(surface.uvs * 2 - 1, (0, 2))
        flat[:, 3] = 1
        face_of = raster.rasterise(flat[None], surface.faces, size, size).view(-1)
        pixel = (face_of >= 0).nonzero()[:, 0]
        share = raster.shares(flat[None], surface.faces, face_of[pixel], pixel, (size, size)).here
        place = (share[..., None] * surface.vertices[surface.faces[face_of[pixel]]]).sum(1)
        texels = texture.permute(1, 2, 0).reshape(-1, 3)[pixel]
        return decibels(torch.cat(squares)), decibels((texels - colour(place)) ** 2)


def decibels(squares: Any) -> float:
    return float(-10 * squares.mean().log10())


def texture(table: Table, rounds: int) -> None:
    """`to_glb` of the torus, in both ways."""
    decoded = asset()
    rendering = importlib.import_module("trellis.utils.render_utils")
    drawing(table, rounds, rendering, decoded["gaussian"][0])
    painter = Painter()
    with replaced(rendering, "get_renderer", lambda *_asked, **_options: painter):
        judge = Judge(decoded["gaussian"][0])
        bakes(table, rounds, decoded, judge)


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
    table.row("100 views of 583,200 splats", *times)


def bakes(table: Table, rounds: int, decoded: dict[str, Any], judge: Any) -> None:
    """`to_glb` in both ways from views in true colours, whose drawing costs nothing."""
    times: dict[tuple[Quality, str], list[float]] = {}
    worth: dict[Quality, list[tuple[float, float]]] = {way: [] for way in WAYS}
    files: dict[Quality, set[bytes]] = {way: set() for way in WAYS}
    peaks: dict[Quality, float] = {}
    for number in range(rounds + 1):
        for way in WAYS:
            release()
            determinism.seed_all(torch, 1)
            clock = stages()
            run = Run(None, None, clock, params())
            with asked(way), FAMILY.exporting(run, decoded) as prepare:
                # Made as the worker makes it; `to_glb`'s result is the last argument of the export.
                made = glb_of(prepare)
            peaks[way] = torch.cuda.max_memory_allocated() / GIB
            for spent in clock.finish():
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
    covered = differing = other = 0
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
        covered += int((theirs >= 0).sum())
        differing += int(((ours >= 0) != (theirs >= 0)).sum())
        other += int((ours != theirs).sum())
    table.row(f"rasterising {VIEWS} views, 1024²", *times)
    print(f"pixels: {covered}; covered by one only: {differing}; showing another face: {other}", flush=True)


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
    parser.add_argument("--parts", default="raster,holes,texture,load,sample")
    given = parser.parse_args()
    parts = given.parts.split(",")
    determinism.before_torch()
    determinism.settings(torch)
    print(
        f"{torch.cuda.get_device_name()}, torch {torch.__version__}, {time.strftime('%Y-%m-%d')}", flush=True
    )
    table = Table()
    if "raster" in parts:
        rasters(table, given.rounds)
    if "holes" in parts:
        mended(table, given.rounds)
    if "texture" in parts:
        texture(table, given.rounds)
    if "load" in parts or "sample" in parts:
        pipeline = load(given.model, table, min(given.rounds, 2))
        if "sample" in parts:
            sample(pipeline, table, given.rounds)


if __name__ == "__main__":
    main()
