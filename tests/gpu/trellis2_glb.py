"""The textured GLB of TRELLIS.2's decoded voxels, in its own way and ours: times part by part, and what its
textures are worth; for bench_trellis2.py."""

from __future__ import annotations

import copy
import dataclasses
import importlib
import os
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy
import torch
from budget import Budget
from flows import GIB, Clock, release
from trellis2_size import Told, decoded, params, placed, say
from trellis_worker.families import trellis2
from trellis_worker.family import Run, own_params
from trellis_worker.protocol import Format, StageTime

SAMPLES = 1_000_000
# TRELLIS.2's own code, and ours.
EXACT, BALANCED = WAYS = ("exact", "balanced")
RADIUS = float(os.environ.get("TRELLIS_SPHERE_RADIUS", "0.25"))
# What is asked of the GLB: the server's defaults, the finest, and without a rebuilt surface.
FINEST = {"decimation_target": 1_000_000, "texture_size": 4096}
ASKED = ({}, FINEST, {"remesh": False})
# Seconds that each way may take at 1024.
USUAL = {EXACT: 110.0, BALANCED: 20.0}
_MISSING = object()


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
    def of(self, functions: list[tuple[Any, str]]) -> Iterator[None]:
        """While it is open, these functions (owner, name) are timed."""
        with ExitStack() as undo:
            for owner, name in functions:
                said = f"{getattr(owner, '__name__', type(owner).__name__)}.{name}"
                undo.enter_context(_instead(owner, name, self.timed(said, getattr(owner, name))))
            yield

    def say(self) -> None:
        for name, spent in sorted(self.seconds.items(), key=lambda part: -part[1]):
            say(f"|   {name} | {spent:.2f} s | |")


@contextmanager
def _instead(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Has `owner.name` be `value`; a module whose import is deferred holds nothing by itself."""
    before = vars(owner).get(name, _MISSING)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if before is _MISSING:
            delattr(owner, name)
        else:
            setattr(owner, name, before)


def our_functions() -> list[tuple[Any, str]]:
    """What the GLB in our way spends its time in, beside CuMesh."""
    atlas, charts, pack, pbr = (
        importlib.import_module(f"trellis_worker.texture.{name}")
        for name in ("atlas", "charts", "pack", "pbr")
    )
    return [
        (pbr, "_rebuild"),
        (pbr, "without_inner"),
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
        (pbr, "textured_mesh"),
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


def timed_functions(way: str) -> list[tuple[Any, str]]:
    """What a GLB in this way spends its time in."""
    return our_functions() if way == BALANCED else glb_functions()


def say_stages(clock: Clock, ended: list[StageTime]) -> None:
    """The time and the most memory of each stage."""
    for spent in ended:
        most = clock.peaks.get(spent.stage.value, 0) / GIB
        say(f"| {spent.stage.value} | {spent.ms / 1000:.2f} s | {most:.2f} GiB |")


def written(path: Path) -> Any:
    """The mesh of a GLB as a viewer reads it: with vertices, faces, places in the texture, and material."""
    trimesh = importlib.import_module("trimesh")
    scene = trimesh.load(path, process=False)
    [mesh] = scene.geometry.values()
    return mesh


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


def worth(path: Path, stripes: Callable[[Any], Any]) -> dict[str, float]:
    """Says what a GLB on disk holds, and gives the PSNR of its textures; nothing where it cannot be read."""
    try:
        mesh = written(path)
        found = psnr(mesh, stripes)
        said = ", ".join(f"{name} {value:.2f} dB" for name, value in found.items())
        say(
            f"|   {len(mesh.faces)} faces, {len(mesh.vertices)} vertices, {path.stat().st_size} bytes; "
            f"{said}; winding consistent: {mesh.is_winding_consistent}; {away(mesh)}"
        )
    except Exception:  # noqa: BLE001 the times are said all the same
        traceback.print_exc()
        return {}
    return found


def glb(pipeline: Any, resolution: int, budget: Budget, out: Path) -> None:
    """The GLB of one decoded shell of voxels, both ways, as it is asked for in several."""
    clock = Told()
    result = decoded(pipeline, clock, params(resolution=resolution), placed(pipeline, False))
    say_stages(clock, clock.finish())
    mesh = result.mesh
    say(f"-- {resolution}: {len(mesh.coords)} voxels, {len(mesh.faces)} faces")
    for asked in ASKED:
        spent, found = {}, {}
        for way in reversed(WAYS):
            if not budget.allows(f"GLB at {resolution}, {asked}, {way}", USUAL[way]):
                continue
            try:
                spent[way], found[way] = one(
                    pipeline, result, params(resolution=resolution, quality=way, **asked), out
                )
            except Exception:  # noqa: BLE001 the other way is measured all the same
                traceback.print_exc()
        if len(spent) == len(WAYS):
            row(f"GLB at {resolution}, {asked or 'defaults'}", spent)
            for name in found[EXACT].keys() & found[BALANCED].keys():
                row(f"PSNR, {name}", {way: found[way][name] for way in WAYS}, "dB")


def row(what: str, figures: dict[str, float], unit: str = "s") -> None:
    """A line of the table: TRELLIS.2's own, ours, and how many times faster."""
    theirs, ours = (figures[way] for way in WAYS)
    times = f"{theirs / ours:.2f}" if unit == "s" and ours else ""
    say(f"| {what} | {theirs:.2f} {unit} | {ours:.2f} {unit} | {times} |")


def one(pipeline: Any, decoded_: Any, asked: Any, out: Path) -> tuple[float, dict[str, float]]:
    """Makes it once: the seconds up to the file on disk, and what it is worth."""
    release()
    clock, parts = Told(), Parts()
    run = Run(pipeline, placed(pipeline, False), clock, asked)
    own = own_params(trellis2.Own, asked)
    timed = timed_functions(own.quality)
    # A copy: where there are too many faces for nvdiffrast, TRELLIS.2's way leaves fewer behind.
    decoded_ = dataclasses.replace(decoded_, mesh=copy.copy(decoded_.mesh))
    started = time.monotonic()
    with parts.of(timed), trellis2.FAMILY.exporting(run, decoded_) as prepare:
        prepare(Format.GLB)(out)
        torch.cuda.synchronize()
    spent = time.monotonic() - started
    ended = clock.finish()
    say(f"| {own.quality}: GLB | {spent:.2f} s | {max(clock.peaks.values()) / GIB:.2f} GiB |")
    say_stages(clock, ended)
    parts.say()
    return spent, worth(out, pipeline.stripes)
