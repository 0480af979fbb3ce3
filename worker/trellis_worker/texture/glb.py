"""TRELLIS's `to_glb` with the texture solved for, and the views left on the GPU between drawing and baking.

The views are those that `to_glb` takes: as many, from the same places, by the same renderer.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..protocol import Stage
from ..stages import Stages
from .bake import bake
from .observations import Seen, Surface, clip_matrix, joined, observe

torch: Any = importlib.import_module("torch")

VIEWS = 100
RESOLUTION = 1024
DISTANCE = 2
FIELD_OF_VIEW = 40
VIEWS_AT_ONCE = 10
# A PNG's effort: a third of the time of the usual 6, and a tenth more bytes.
DEFLATE = 3
# From Z up to Y up.
TURN = ((1, 0, 0), (0, 0, -1), (0, 1, 0))


@dataclass(frozen=True)
class Trellis:
    """The modules of TRELLIS that take part."""

    processing: Any
    rendering: Any


def to_glb(trellis: Trellis, splats: Any, simplified: tuple[Any, Any], size: int, stages: Stages) -> Any:
    """A trimesh with a texture of `size`, Y up, from the simplified vertices and faces."""
    numpy = importlib.import_module("numpy")
    vertices, faces = simplified
    # Waits for what the GPU has to do, so not once the views are being drawn.
    stages.enter(Stage.TEXTURE)
    with ThreadPoolExecutor(1) as beside:
        # The views on the GPU, while the processor unwraps.
        drawing = beside.submit(_drawn, trellis, splats)
        vertices, faces, uvs = trellis.processing.parametrize_mesh(vertices, faces)
        drawn = drawing.result()
    device = splats.get_xyz.device
    surface = Surface(
        torch.as_tensor(vertices, dtype=torch.float32, device=device),
        torch.as_tensor(faces.astype("int64"), device=device),
        torch.as_tensor(uvs, dtype=torch.float32, device=device),
    )
    with torch.no_grad():
        texture = _texture(drawn, surface, size, stages)
    return _textured(vertices @ numpy.array(TURN), faces, uvs, texture.cpu().numpy())


def _drawn(trellis: Trellis, splats: Any) -> list[tuple[Any, Any]]:
    # Each thread has its own word for this.
    with torch.no_grad():
        return list(views(trellis, splats))


def _texture(drawn: list[tuple[Any, Any]], surface: Surface, size: int, stages: Stages) -> Any:
    """Lets go of what was `drawn`, view by view."""
    seen: list[Seen] = []
    steps = VIEWS // VIEWS_AT_ONCE
    while drawn:
        seen.append(observe(surface, *drawn.pop(0), size))
        stages.step(len(seen), 2 * steps)
    together = joined(seen)
    seen.clear()
    return bake(together, size, lambda done, rounds: stages.step(steps + steps * done // rounds, 2 * steps))


def views(trellis: Trellis, splats: Any) -> Iterator[tuple[Any, Any]]:
    """Clip matrices (B, 4, 4) and pictures (B, H, W, 3) uint8 of the splats, some at a time."""
    renderer = trellis.rendering.get_renderer(splats, resolution=RESOLUTION, bg_color=(0, 0, 0))
    cameras = _cameras(trellis.rendering)
    for first in range(0, VIEWS, VIEWS_AT_ONCE):
        pictures, matrices = [], []
        for extrinsics, intrinsics in cameras[first : first + VIEWS_AT_ONCE]:
            colour = renderer.render(splats, extrinsics, intrinsics)["color"]
            # Rounded as TRELLIS rounds its pictures.
            pictures.append((colour * 255).clamp(0, 255).byte().permute(1, 2, 0))
            matrices.append(clip_matrix(extrinsics, intrinsics))
        yield torch.stack(matrices), torch.stack(pictures)


def _cameras(rendering: Any) -> list[tuple[Any, Any]]:
    """Those of `render_multiview`, spread over the sphere."""
    places = [rendering.sphere_hammersley_sequence(index, VIEWS) for index in range(VIEWS)]
    extrinsics, intrinsics = rendering.yaw_pitch_r_fov_to_extrinsics_intrinsics(
        [yaw for yaw, _ in places], [pitch for _, pitch in places], DISTANCE, FIELD_OF_VIEW
    )
    return list(zip(extrinsics, intrinsics, strict=True))


def _textured(vertices: Any, faces: Any, uvs: Any, texture: Any) -> Any:
    """The mesh with the material that `to_glb` gives it."""
    trimesh = importlib.import_module("trimesh")
    visual = importlib.import_module("trimesh.visual")
    image = importlib.import_module("PIL.Image")
    picture = image.fromarray(texture)
    picture.save = partial(picture.save, compress_level=DEFLATE)
    material = visual.material.PBRMaterial(
        roughnessFactor=1.0, baseColorTexture=picture, baseColorFactor=[255, 255, 255, 255]
    )
    return trimesh.Trimesh(vertices, faces, visual=visual.TextureVisuals(uv=uvs, material=material))
