"""TRELLIS's `to_glb` with the texture solved for, and the views left on the GPU between drawing and baking.

The mesh is simplified, mended and unwrapped by TRELLIS's own functions, and the views are those that
`to_glb` takes: as many, from the same places, by the same renderer.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

from ..stages import Stages
from .bake import bake
from .observations import Seen, Surface, clip_matrix, joined, observe

torch: Any = importlib.import_module("torch")

VIEWS = 100
RESOLUTION = 1024
DISTANCE = 2
FIELD_OF_VIEW = 40
# Views are a part of the stage's steps; the rounds of the bake are the rest.
VIEWS_PER_REPORT = 10
# From Z up to Y up.
TURN = ((1, 0, 0), (0, 0, -1), (0, 1, 0))


@dataclass(frozen=True)
class Trellis:
    """The modules of TRELLIS that take part."""

    processing: Any
    rendering: Any

    @staticmethod
    def imported() -> Trellis:
        """From the environment."""
        return Trellis(
            importlib.import_module("trellis.utils.postprocessing_utils"),
            importlib.import_module("trellis.utils.render_utils"),
        )


@dataclass(frozen=True)
class Wanted:
    """The parameters of a GLB."""

    simplify: float
    texture_size: int
    hole_size: float


def to_glb(trellis: Trellis, splats: Any, mesh: Any, wanted: Wanted, stages: Stages) -> Any:
    """A trimesh with its texture, Y up."""
    numpy = importlib.import_module("numpy")
    vertices, faces = trellis.processing.postprocess_mesh(
        mesh.vertices.cpu().numpy(),
        mesh.faces.cpu().numpy(),
        simplify=wanted.simplify > 0,
        simplify_ratio=wanted.simplify,
        fill_holes=True,
        fill_holes_max_hole_size=wanted.hole_size,
        fill_holes_max_hole_nbe=int(250 * (1 - wanted.simplify) ** 0.5),
        fill_holes_resolution=1024,
        fill_holes_num_views=1000,
        verbose=False,
    )
    vertices, faces, uvs = trellis.processing.parametrize_mesh(vertices, faces)
    device = mesh.vertices.device
    surface = Surface(
        torch.as_tensor(vertices, dtype=torch.float32, device=device),
        torch.as_tensor(faces.astype("int64"), device=device),
        torch.as_tensor(uvs, dtype=torch.float32, device=device),
    )
    with torch.no_grad():
        texture = _texture(trellis, splats, surface, wanted.texture_size, stages)
    return _textured(vertices @ numpy.array(TURN), faces, uvs, texture.cpu().numpy())


def _texture(trellis: Trellis, splats: Any, surface: Surface, size: int, stages: Stages) -> Any:
    total = VIEWS // VIEWS_PER_REPORT
    seen: list[Seen] = []
    renderer = trellis.rendering.get_renderer(splats, resolution=RESOLUTION, bg_color=(0, 0, 0))
    for index, (extrinsics, intrinsics) in enumerate(_cameras(trellis.rendering)):
        colour = renderer.render(splats, extrinsics, intrinsics)["color"]
        # Rounded as TRELLIS rounds its pictures.
        picture = (colour * 255).clamp(0, 255).byte().permute(1, 2, 0)
        seen.append(observe(surface, clip_matrix(extrinsics, intrinsics), picture, size))
        if (index + 1) % VIEWS_PER_REPORT == 0:
            stages.step((index + 1) // VIEWS_PER_REPORT, 2 * total)
    together = joined(seen)
    seen.clear()
    return bake(together, size, lambda done, rounds: stages.step(total + total * done // rounds, 2 * total))


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
    material = visual.material.PBRMaterial(
        roughnessFactor=1.0, baseColorTexture=image.fromarray(texture), baseColorFactor=[255, 255, 255, 255]
    )
    return trimesh.Trimesh(vertices, faces, visual=visual.TextureVisuals(uv=uvs, material=material))
