"""Meshes with known colours, and what a texture of them is worth; for bench_trellis.py."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy
import torch
from trellis_worker.texture import bake, observations, raster

DEVICE = torch.device("cuda")
# Cameras that no texture is made from.
HELD_OUT = 37
SAMPLES = 3


@dataclass(frozen=True)
class Asset:
    """A closed mesh and what is painted on it."""

    name: str
    vertices: Any  # (V, 3)
    faces: Any  # (F, 3)
    colour: Callable[[Any], Any]  # of places (N, 3), from 0 to 1

    def decoded(self) -> dict[str, Any]:
        """As the decoders would give it: a mesh, and splats on its surface."""
        representations = importlib.import_module("trellis.representations")
        corners = self.vertices[self.faces]
        places = torch.cat([self.vertices, corners.mean(1), (corners * _THIRDS.to(DEVICE)).sum(1)])
        splats = representations.Gaussian(
            aabb=[-0.5, -0.5, -0.5, 1, 1, 1], sh_degree=0, mininum_kernel_size=0.0009, scaling_bias=0.004,
            opacity_bias=0.1, scaling_activation="softplus",
        )  # fmt: skip
        count = len(places)
        splats.from_xyz(places)
        splats.from_features(((self.colour(places) - 0.5) / 0.28209479177387814)[:, None])
        splats.from_scaling(torch.full((count, 3), 0.0014, device=DEVICE))
        splats.from_rotation(torch.tensor([1.0, 0, 0, 0], device=DEVICE).expand(count, 4))
        splats.from_opacity(torch.full((count, 1), 0.95, device=DEVICE))
        return {"mesh": [representations.MeshExtractResult(self.vertices, self.faces)], "gaussian": [splats]}


_THIRDS = torch.tensor([0.6, 0.3, 0.1])[:, None]


def assets() -> list[Asset]:
    """A torus in soft waves and stripes, a box in a chequered pattern, a bumpy sphere in fine noise."""
    return [
        Asset("torus", *torus(480, 270), waves),
        Asset("box", *rounded(147, 8, 0.0), chequered),
        Asset("noisy sphere", *rounded(147, 2, 0.001), fine),
    ]


def waves(place: Any) -> Any:
    """Soft waves, and stripes with sharp edges."""
    soft = 0.5 + 0.25 * torch.sin(place * 31 + place.roll(1, 1) * 17)
    stripes = (torch.sin(place[:, 2:] * 60) > 0.6).to(place.dtype)
    return soft * (1 - 0.5 * stripes)


def chequered(place: Any) -> Any:
    """Two colours in cubes of a twentieth."""
    odd = ((place + 1.013) * 20).floor().sum(1, keepdim=True) % 2
    dark, light = (torch.tensor(it, device=place.device) for it in ([0.15, 0.3, 0.6], [0.9, 0.8, 0.3]))
    return odd * light + (1 - odd) * dark


def fine(place: Any) -> Any:
    """Waves of a few pixels."""
    return 0.5 + 0.4 * torch.sin(place * 160 + 40 * torch.sin(place.roll(1, 1) * 9))


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


def rounded(count: int, power: int, noise: float) -> tuple[Any, Any]:
    """A sphere of this power (2: round, more: a box with round edges) of six times `count`² squares."""
    line = torch.tan(torch.linspace(-1, 1, count + 1, dtype=torch.float64) * math.pi / 4)
    y, x = torch.meshgrid(line, line, indexing="ij")
    sides = []
    for axis in range(3):
        for sign in (1.0, -1.0):
            side = torch.stack((torch.ones_like(x), x * sign, y), -1).reshape(-1, 3) * sign
            sides.append(side.roll(axis, 1))
    places, index = (torch.cat(sides) * 1e9).round().unique(dim=0, return_inverse=True)
    places = places / 1e9
    a = torch.arange((count + 1) ** 2).view(count + 1, count + 1)
    corners = a[:-1, :-1], a[:-1, 1:], a[1:, 1:], a[1:, :-1]
    halves = [[corners[k] for k in three] for three in ((0, 1, 2), (0, 2, 3))]
    one = torch.cat([torch.stack(three, -1).reshape(-1, 3) for three in halves])
    faces = index[torch.cat([one + side * (count + 1) ** 2 for side in range(6)])]
    size = (places.abs() ** power).sum(1, keepdim=True) ** (1 / power)
    bumps = noise * torch.randn(len(places), 1, generator=torch.Generator().manual_seed(1))
    # A little less than flat, for VTK takes minutes over flat sides.
    places = places / size * (0.36 + bumps + 0.002 * torch.sin(places / size * 12).prod(1, keepdim=True))
    return places.float().to(DEVICE), faces.to(DEVICE)


class Painter:
    """Draws an asset in its true colours in place of its splats, each view once."""

    def __init__(self, asset: Asset, kept_on: Any = DEVICE) -> None:
        self.surface = observations.Surface(asset.vertices, asset.faces, None)
        self.kept_on = kept_on
        self.colour = asset.colour
        self.drawn: dict[bytes, Any] = {}

    def render(self, _splats: Any, extrinsics: Any, intrinsics: Any, **_options: Any) -> dict[str, Any]:
        key = extrinsics.cpu().numpy().tobytes()
        if key not in self.drawn:
            self.drawn[key] = self.draw(observations.clip_matrix(extrinsics, intrinsics)).to(self.kept_on)
        # A quarter more, so that no rounding takes one off.
        return {"color": (self.drawn[key].to(DEVICE).float() + 0.25) / 255}

    def draw(self, matrix: Any, side: int = 1024) -> Any:
        """(3, side, side) uint8, each pixel the mean of nine."""
        fine, faces = side * SAMPLES, self.surface.faces
        positions = torch.nn.functional.pad(self.surface.vertices, (0, 1), value=1.0) @ matrix.T
        face_of = raster.rasterise(positions[None], faces, fine, fine).view(-1)
        pixel = (face_of >= 0).nonzero()[:, 0]
        share = raster.shares(positions[None], faces, face_of[pixel], pixel, (fine, fine)).here
        drawn = torch.zeros(fine * fine, 3, device=DEVICE)
        drawn[pixel] = self.colour((share[..., None] * self.surface.vertices[faces[face_of[pixel]]]).sum(1))
        drawn = torch.nn.functional.avg_pool2d(drawn.view(fine, fine, 3).permute(2, 0, 1), SAMPLES)
        return (drawn.flip(1) * 255).round().byte()


class Judge:
    """What a textured mesh is worth beside the truth, in the painter's views and texel by texel."""

    def __init__(self, asset: Asset, painter: Painter) -> None:
        rendering = importlib.import_module("trellis.utils.render_utils")
        sequence = rendering.sphere_hammersley_sequence
        places = [sequence(index, HELD_OUT, (0.3, 0.17)) for index in range(HELD_OUT)]
        cameras = rendering.yaw_pitch_r_fov_to_extrinsics_intrinsics(
            [yaw for yaw, _ in places], [pitch for _, pitch in places], 2, 40
        )
        self.colour = asset.colour
        self.views = []
        for extrinsics, intrinsics in zip(*cameras, strict=True):
            matrix = observations.clip_matrix(extrinsics, intrinsics)
            self.views.append((matrix[None], painter.draw(matrix).permute(1, 2, 0)[None]))

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
        return decibels(torch.cat(squares)), decibels((texels - self.colour(place)) ** 2)


def decibels(squares: Any) -> float:
    return float(-10 * squares.mean().log10())
