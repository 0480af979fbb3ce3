"""TRELLIS.2 at its real size with random weights on one GPU: time and memory; run by bench-trellis2.

    bench_trellis2.py FOLDER [--parts LIST] [--resolutions LIST]

FOLDER: for the image encoder's weights; the other models never leave the GPU. LIST of parts: of glb (the GLB
of a shell of voxels with known colours), jobs (from picture to GLB), low_vram (the same, each model on the
GPU for its stage alone) and flows (a step by the number of tokens, and both passes of guidance at once). The
copy of TRELLIS.2 is one of tests/tiny_trellis2/source.sh: whatever the weights say, the object is a striped
sphere.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "worker"), str(ROOT / "tests" / "tiny_trellis2")]
warnings.filterwarnings("ignore")

import model as generator  # noqa: E402 the folders are only now on the path
from flows import GIB, Clock, disc, release  # noqa: E402
from trellis_worker import determinism  # noqa: E402
from trellis_worker.checkpoints import replaced  # noqa: E402
from trellis_worker.families import trellis2, trellis2_files  # noqa: E402
from trellis_worker.family import Run, own_params  # noqa: E402
from trellis_worker.placement import Placement, bind_device  # noqa: E402
from trellis_worker.protocol import Format, Params, Stage, StageTime  # noqa: E402
from trellis_worker.quality import Quality  # noqa: E402

DEVICE = torch.device("cuda")
# What times are counted from.
BEGUN = time.monotonic()
TOKENS = (2048, 4096, 8192, 16384, 32768, 49152)
SAMPLES = 1_000_000
# TRELLIS.2's own code, and ours.
WAYS = ("exact", "balanced")
RADIUS = float(os.environ.get("TRELLIS_SPHERE_RADIUS", "0.25"))


def say(text: str) -> None:
    print(text, flush=True)


def params(**own: Any) -> Params:
    """Of a job that asks for a GLB, as the server fills them in."""
    snapshot = ROOT / "crates/trellis-core/src/params/snapshots"
    text = (snapshot / "trellis_core__params__tests__defaults_are_trellis_own.snap").read_text("utf-8")
    usual = json.loads(text.split("---\n", 2)[2])[1]
    return Params(
        model="trellis2-4b",
        seed=1,
        formats=(Format.GLB,),
        texture=True,
        remove_background=False,
        stl_size_mm=100.0,
        own={**usual, **own},
    )


def loaded(folder: Path) -> Any:
    """The pipeline with models of the real size, made on the GPU."""
    table = {file: (part, name, arguments) for part, file, name, arguments in generator.MODELS}

    def load(_models: Any, path: Path, _name: str) -> Any:
        part, name, arguments = table[path.name]
        with torch.device(DEVICE):
            return generator.made(name, generator.real_arguments(part, arguments))

    started = time.monotonic()
    torch.manual_seed(1)
    if not (folder / "dinov3" / "model.safetensors").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with torch.device(DEVICE):
            generator.encoder("real").save_pretrained(folder / "dinov3")
        generator.write_pipeline(folder)
    with (
        replaced(trellis2, "load_strictly", load),
        replaced(trellis2, "checkpoint", lambda _at, name: Path(name)),
    ):
        pipeline = trellis2.FAMILY.load(folder, Quality.BALANCED, lambda *_report: None)
    bind_device(pipeline, DEVICE)
    placed(pipeline, False)
    torch.cuda.synchronize()
    held = torch.cuda.memory_allocated() / GIB
    say(f"models made in {time.monotonic() - started:.0f} s: {held:.2f} GiB on the GPU")
    return pipeline


class Told(Clock):
    """Says each stage as it begins."""

    def enter(self, stage: Stage, total: int = 1) -> None:
        super().enter(stage, total)
        say(f"     {time.monotonic() - BEGUN:.1f} s: {stage.value}")


def placed(pipeline: Any, low_vram: bool) -> Placement:
    placement = Placement(pipeline.models, DEVICE, torch.cuda.empty_cache)
    placement.choose(low_vram)
    return placement


class Parts:
    """Times of functions that are called in the course of something."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            torch.cuda.synchronize()
            started = time.monotonic()
            try:
                return function(*args, **options)
            finally:
                torch.cuda.synchronize()
                self.seconds[name] = self.seconds.get(name, 0) + time.monotonic() - started

        return call

    @contextmanager
    def of(self, *functions: tuple[Any, str]) -> Iterator[None]:
        """While it is open, these functions (owner, name) are timed."""
        with ExitStack() as undo:
            for owner, name in functions:
                said = f"{getattr(owner, '__name__', type(owner).__name__)}.{name}"
                undo.enter_context(replaced(owner, name, self.timed(said, getattr(owner, name))))
            yield

    def say(self) -> None:
        for name, spent in sorted(self.seconds.items(), key=lambda part: -part[1]):
            say(f"|   {name} | {spent:.2f} s | |")


def our_functions() -> list[tuple[Any, str]]:
    """What the GLB in our way spends its time in, beside CuMesh."""
    atlas, charts, pack, pbr = (
        importlib.import_module(f"trellis_worker.texture.{name}")
        for name in ("atlas", "charts", "pack", "pbr")
    )
    return [
        (pbr, "_rebuild"),
        (pbr.Tree, "of"),
        (pbr.Tree, "nearest"),
        (pbr, "unwrapped"),
        (charts, "cut"),
        (atlas, "pack"),
        (pack, "_outlines"),
        (atlas, "rasterise"),
        (pbr, "_colours"),
        (pbr.Voxels, "at"),
        (pbr, "filled"),
        (pbr, "_textured"),
    ]


def glb_functions() -> list[tuple[Any, str]]:
    """What `to_glb` spends its time in."""
    cumesh = importlib.import_module("cumesh")
    postprocess = importlib.import_module("o_voxel.postprocess")
    atlas = importlib.import_module("cumesh.cumesh")
    mesh = ["fill_holes", "simplify", "uv_unwrap", "compute_charts", "compute_vertex_normals"]
    mesh += ["remove_duplicate_faces", "repair_non_manifold_edges", "remove_small_connected_components"]
    mesh += ["unify_face_orientations"]
    return [
        *((cumesh.CuMesh, name) for name in mesh),
        *((atlas.Atlas, name) for name in ("add_mesh", "compute_charts", "pack_charts", "get_mesh")),
        (cumesh, "cuBVH"),
        (cumesh.cuBVH, "unsigned_distance"),
        (cumesh.remeshing, "remesh_narrow_band_dc"),
        (postprocess.dr, "rasterize"),
        (postprocess.dr, "interpolate"),
        (postprocess, "grid_sample_3d"),
        (postprocess.cv2, "inpaint"),
    ]


def say_stages(clock: Clock, ended: list[StageTime]) -> None:
    """The time and the most memory of each stage."""
    for spent in ended:
        most = clock.peaks.get(spent.stage.value, 0) / GIB
        say(f"| {spent.stage.value} | {spent.ms / 1000:.2f} s | {most:.2f} GiB |")


def decoded(pipeline: Any, clock: Clock, job: Params, placement: Placement) -> Any:
    determinism.seed_all(torch, job.seed)
    return trellis2.FAMILY.sample(Run(pipeline, placement, clock, job), [disc()])


def job(pipeline: Any, placement: Placement, what: str, asked: Params, out: Path) -> None:
    """From a picture to a GLB on disk: the time and the most memory of each stage."""
    release()
    clock, parts = Told(), Parts()
    started = time.monotonic()
    with parts.of((trellis2, "refuse_implausible")):
        result = decoded(pipeline, clock, asked, placement)
    with trellis2.FAMILY.exporting(Run(pipeline, placement, clock, asked), result) as prepare:
        prepare(Format.GLB)(out)
    ended = clock.finish()
    mesh = result.mesh
    whole = time.monotonic() - started
    say(
        f"| {what}, in all | {whole:.2f} s | {max(clock.peaks.values()) / GIB:.2f} GiB | "
        f"{len(mesh.coords)} voxels, {len(mesh.faces)} faces, GLB of {out.stat().st_size} bytes"
    )
    say_stages(clock, ended)
    parts.say()


def psnr(made: Any, stripes: Callable[[Any], Any]) -> dict[str, float]:
    """How near a GLB's textures are to the true colours, by places on its faces."""
    corners = made.vertices[made.faces]
    areas = numpy.linalg.norm(
        numpy.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
    )
    generator_ = numpy.random.default_rng(1)
    chosen = generator_.choice(len(areas), SAMPLES, p=areas / areas.sum())
    share = generator_.dirichlet((1, 1, 1), SAMPLES)
    places = (corners[chosen] * share[..., None]).sum(1)
    uvs = (made.visual.uv[made.faces[chosen]] * share[..., None]).sum(1)
    # As `to_glb` turned them; the nearest place of the sphere has the colour.
    places = numpy.stack([places[:, 0], -places[:, 2], places[:, 1]], 1)
    places *= RADIUS / numpy.linalg.norm(places, axis=1, keepdims=True)
    truth = stripes(torch.from_numpy(places)).numpy()
    material = made.visual.material
    found = {}
    for name, picture, columns, channels in (
        ("base colour", material.baseColorTexture, slice(0, 3), [0, 1, 2]),
        ("metallic, roughness", material.metallicRoughnessTexture, [3, 4], [2, 1]),
    ):
        pixels = numpy.asarray(picture)[..., channels] / 255
        rows = ((1 - uvs[:, 1]) * pixels.shape[0]).astype(int).clip(0, pixels.shape[0] - 1)
        at = (uvs[:, 0] * pixels.shape[1]).astype(int).clip(0, pixels.shape[1] - 1)
        error = ((pixels[rows, at] - truth[:, columns]) ** 2).mean()
        found[name] = float(-10 * numpy.log10(error))
    return found


def away(made: Any) -> str:
    """How far a GLB's vertices are from a sphere, which a rebuilt surface is a little larger than."""
    out = numpy.linalg.norm(made.vertices, axis=1)
    off = numpy.abs(out - out.mean())
    return f"vertices off a sphere by {off.mean():.1e}, at most {off.max():.1e}"


def glb(pipeline: Any, resolution: int, ways: list[dict[str, Any]]) -> None:
    """The GLB of a decoded shell of voxels, both ways: its parts, and what its textures are worth."""
    placement = placed(pipeline, False)
    clock = Told()
    result = decoded(pipeline, clock, params(resolution=resolution), placement)
    say_stages(clock, clock.finish())
    say(f"-- {resolution}: {len(result.mesh.coords)} voxels, {len(result.mesh.faces)} faces")
    for asked in ways:
        spent = [one_glb(pipeline, result.mesh, resolution, {**asked, "quality": it}) for it in WAYS]
        say(f"| GLB at {resolution}, {asked}: times faster | {spent[0] / spent[1]:.2f} | | |")


def one_glb(pipeline: Any, mesh: Any, resolution: int, asked: dict[str, Any]) -> float:
    """Makes it once, says what came out, and gives the seconds up to the file's bytes."""
    release()
    own = params(resolution=resolution, **asked)
    clock, parts = Told(), Parts()
    run = Run(pipeline, placed(pipeline, False), clock, own)
    timed = our_functions() if asked["quality"] == "balanced" else glb_functions()
    started = time.monotonic()
    with parts.of(*timed):
        save = trellis2_files.Exports(run, mesh, own_params(trellis2.Own, own)).prepare(Format.GLB)
    spent = time.monotonic() - started
    made = next(cell.cell_contents for cell in save.__closure__ if hasattr(cell.cell_contents, "visual"))
    started = time.monotonic()
    size = len(made.export(file_type="glb"))
    written = time.monotonic() - started
    clock.finish()
    worth = ", ".join(f"{name} {value:.1f} dB" for name, value in psnr(made, pipeline.stripes).items())
    say(
        f"| GLB at {resolution}, {asked} | {spent:.2f} s | {max(clock.peaks.values()) / GIB:.2f} GiB | "
        f"{len(made.faces)} faces, {len(made.vertices)} vertices, winding consistent: "
        f"{made.is_winding_consistent}; {worth}; {away(made)}"
    )
    parts.say()
    say(f"|   written | {written:.2f} s | | {size} bytes")
    return spent + written


def flows(pipeline: Any) -> None:
    """One step of a flow by its tokens: both guidance passes one after the other, and as one batch."""
    sparse = importlib.import_module("trellis2.modules.sparse")
    placed(pipeline, False)
    # What DINOv3 says of a picture of 512 pixels, and of one of 1024.
    coarse, cond = (torch.randn(2, count, 1024, device=DEVICE) for count in (1029, 4101))
    structure = pipeline.models["sparse_structure_flow_model"]
    dense = torch.randn(2, 8, 16, 16, 16, device=DEVICE)
    step(
        "sparse structure, 4096 tokens",
        lambda pair: structure(
            dense[pair], torch.full((len(dense[pair]),), 500.0, device=DEVICE), coarse[pair]
        ),
    )
    shape = pipeline.models["shape_slat_flow_model_1024"]
    for count in TOKENS:
        row = torch.randperm(64**3, device=DEVICE)[:count].sort().values
        coords = torch.stack([torch.zeros_like(row), row // 4096, row // 64 % 64, row % 64], -1).int()
        other = coords + torch.tensor([1, 0, 0, 0], device=DEVICE, dtype=torch.int32)
        feats = torch.randn(2 * count, 32, device=DEVICE)
        one = sparse.SparseTensor(feats=feats[:count], coords=coords)
        both = sparse.SparseTensor(feats=feats, coords=torch.cat([coords, other]))

        def call(pair: slice, one: Any = one, both: Any = both) -> None:
            x = one if pair == slice(0, 1) else both
            shape(x, torch.full((x.shape[0],), 500.0, device=DEVICE), cond[pair])

        step(f"shape's latent, {count} tokens", call)


def step(what: str, call: Callable[[slice], Any]) -> None:
    """The time of two passes, one after the other and as a batch of two, and the most memory of each."""
    found = []
    for pairs in ([slice(0, 1)] * 2, [slice(0, 2)]):
        with torch.no_grad():
            call(pairs[0])
            release()
            before = torch.cuda.memory_allocated()
            torch.cuda.synchronize()
            started = time.monotonic()
            for _ in range(3):
                for pair in pairs:
                    call(pair)
            torch.cuda.synchronize()
        found.append(((time.monotonic() - started) / 3, (torch.cuda.max_memory_allocated() - before) / GIB))
    (one, little), (two, much) = found
    apart, together = f"{one:.3f} s, {little:.2f} GiB", f"at once {two:.3f} s, {much:.2f} GiB"
    say(f"| two passes: {what} | {apart} | {together} | {one / two:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--parts", default="jobs,glb,low_vram,flows")
    parser.add_argument("--resolutions", default="512,1024")
    given = parser.parse_args()
    determinism.before_torch()
    trellis2.FAMILY.determinism()
    determinism.settings(torch)
    say(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, {time.strftime('%Y-%m-%d')}")
    pipeline = loaded(given.folder)
    resolutions = [int(side) for side in given.resolutions.split(",")]
    out = given.folder / "model.glb"
    failed = []
    for part in given.parts.split(","):
        started = time.monotonic()
        try:
            match part:
                case "jobs":
                    for side in resolutions:
                        for turn in ("first", "second"):
                            placement = placed(pipeline, False)
                            job(pipeline, placement, f"{side}, {turn} job", params(resolution=side), out)
                case "low_vram":
                    for side in resolutions:
                        placement = placed(pipeline, True)
                        job(pipeline, placement, f"{side}, low VRAM", params(resolution=side), out)
                case "glb":
                    fine = {"decimation_target": 1_000_000, "texture_size": 4096}
                    glb(pipeline, resolutions[-1], [{}, fine, {"remesh": False}])
                case "flows":
                    flows(pipeline)
                case _:
                    raise ValueError(f"there is no part `{part}`")
        except Exception:  # noqa: BLE001 what takes long to come to is measured all the same
            traceback.print_exc()
            failed.append(part)
        say(f"({part}: {time.monotonic() - started:.0f} s)")
    if failed:
        raise SystemExit(f"these parts failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
