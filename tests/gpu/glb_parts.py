"""Where the seconds of a GLB's making go, part by part; for bench_trellis.py."""

from __future__ import annotations

import importlib
import io
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy
import torch
from assets import Asset, Painter, assets, rounded, torus, waves
from trellis_worker.checkpoints import replaced
from trellis_worker.texture import bake, glb, holes, kernel, observations, simplify, unwrap

VIEWS, SIDE = 1000, 1024
LEFT = 0.05
SIZE = 1024


class Watch:
    """Times of parts, the GPU's work within them."""

    def __init__(self) -> None:
        self.times: dict[str, list[float]] = {}

    def __call__(self, name: str, work: Callable[[], Any]) -> Any:
        torch.cuda.synchronize()
        started = time.monotonic()
        result = work()
        torch.cuda.synchronize()
        self.times.setdefault(name, []).append(time.monotonic() - started)
        return result

    def say(self) -> None:
        for name, times in self.times.items():
            print(f"| {name} | {statistics.median(times):.3f} s | first {times[0]:.3f} |", flush=True)


def measure(rounds: int) -> None:
    """A sphere as large as an object of a job, and a torus within another, some of which no camera sees."""
    processing = importlib.import_module("trellis.utils.postprocessing_utils")
    rendering = importlib.import_module("trellis.utils.render_utils")
    whole = Asset("sphere", *rounded(252, 2, 0.0), waves)
    (outer, shell), (inner, core) = torus(500, 380), torus(500, 380, 0.1)
    nested = Asset(
        "torus in a torus", torch.cat([outer, inner]), torch.cat([shell, core + len(outer)]), waves
    )
    for asset in (whole, nested, assets()[0]):
        print(f"-- {asset.name}, {len(asset.faces)} faces", flush=True)
        painter = Painter(asset)
        with replaced(rendering, "get_renderer", lambda *_a, here=painter, **_o: here):
            watch = Watch()
            for _ in range(rounds + 1):
                made(watch, asset, processing, rendering)
            watch.say()


def made(watch: Watch, asset: Asset, processing: Any, rendering: Any) -> None:
    """As `postprocess_mesh` and `to_glb` go on, in the worker's ways."""
    places = [processing.sphere_hammersley_sequence(index, VIEWS) for index in range(VIEWS)]
    mesh = watch("to main memory", lambda: (asset.vertices.cpu().numpy(), asset.faces.cpu().numpy()))
    vertices, faces = watch("simplify", lambda: simplify.simplify(*mesh, LEFT))
    on_gpu = torch.tensor(vertices).cuda(), torch.tensor(faces.astype(numpy.int32)).cuda()
    shown = watch(f"{VIEWS} views of {len(faces)} faces", lambda: holes.seen_in(*on_gpu, places, SIDE))
    with replaced(holes, "VIEWS_AT_ONCE", 5):
        watch("the same, five at once", lambda: holes.seen_in(*on_gpu, places, SIDE))
    with replaced(kernel, "compiled", lambda: None):
        other = watch("the same without the kernel", lambda: holes.seen_in(*on_gpu, places, SIDE))
    if not torch.equal(shown, other):
        print("the kernel counts other views", flush=True)
    fill = holes.fill_holes(lambda _count: places)
    with replaced(holes, "seen_in", lambda *_: shown):
        vertices, faces = watch(
            "hidden faces, holes",
            lambda: fill(*on_gpu, max_hole_size=0.04, max_hole_nbe=55, resolution=SIDE, num_views=VIEWS),
        )
    vertices, faces = vertices.cpu().numpy(), faces.cpu().numpy()
    vertices, faces, uvs = watch(f"unwrap {len(faces)} faces", lambda: unwrap.parametrise(vertices, faces))
    surface = observations.Surface(
        torch.tensor(vertices, dtype=torch.float32, device="cuda"),
        torch.tensor(faces.astype("int64"), device="cuda"),
        torch.tensor(uvs, dtype=torch.float32, device="cuda"),
    )
    trellis = glb.Trellis(processing, rendering)
    with torch.no_grad():
        seen = []
        for matrices, pictures in watch("views", lambda: list(glb.views(trellis, None))):
            args = (surface, matrices, pictures, SIZE)
            seen.append(watch("observe ten views", lambda args=args: observations.observe(*args)))
        texture = watch("bake", lambda: bake.bake(observations.joined(seen), SIZE, lambda *_: None)).cpu()
    turned = vertices @ numpy.array(glb.TURN)
    mesh = watch("trimesh", lambda: glb._textured(turned, faces, uvs, texture.numpy()))
    watch("export", lambda: mesh.export(io.BytesIO(), file_type="glb"))
