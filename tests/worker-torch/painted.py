"""Painted objects with a known colour everywhere, and views of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from kit import worker_kit  # noqa: F401 puts the worker on the path
from trellis_worker.texture.observations import Surface, clip_matrix
from trellis_worker.texture.raster import rasterise, shares

RADIUS = 0.42
MARGIN = 0.02
Colour = Callable[[Any], Any]


def sphere(cells: int, power: int = 2, bumps: float = 0.0) -> Surface:
    """Six charts of `cells` × `cells` squares, three beside two in the texture. A higher power gives a box
    with round edges; `bumps` are how far the surface goes up and down."""
    line = torch.linspace(-1, 1, cells + 1)
    up, right = torch.meshgrid(line, line, indexing="ij")
    flat = torch.stack((torch.tan(right * math.pi / 4), torch.tan(up * math.pi / 4)), -1).reshape(-1, 2)
    inner = (torch.stack((right, up), -1).reshape(-1, 2) + 1) / 2 * (1 - 2 * MARGIN) + MARGIN
    index = torch.arange((cells + 1) ** 2).view(cells + 1, cells + 1)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
    squares = torch.cat([torch.stack(corners, -1).reshape(-1, 3) for corners in ((a, b, c), (a, c, d))])
    vertices, faces, uvs = [], [], []
    for side in range(6):
        axis, sign = side // 2, 1.0 - 2 * (side % 2)
        place = torch.stack((torch.full_like(flat[:, 0], 1.0), flat[:, 0] * sign, flat[:, 1]), -1) * sign
        place = torch.nn.functional.normalize(place.roll(axis, 1), p=power, dim=1)
        away = bumps * torch.sin(place * 40).prod(1, keepdim=True)
        vertices.append(place * (RADIUS * (1 if power == 2 else 0.75) + away))
        faces.append(squares + side * len(inner))
        uvs.append((inner + torch.tensor([side % 3, side // 3])) / torch.tensor([3, 2]))
    return Surface(torch.cat(vertices), torch.cat(faces), torch.cat(uvs))


def colour(place: Any) -> Any:
    """What is painted at (N, 3): soft waves and a sharp spot."""
    waves = 0.5 + 0.35 * torch.sin(place * 25 + place.roll(1, 1) * 11)
    spot = (place[:, 2:] > RADIUS * 0.8).to(place.dtype)
    return waves * (1 - spot) + spot * torch.tensor([0.9, 0.2, 0.1], device=place.device)


def chequered(place: Any) -> Any:
    """Two colours in cubes."""
    odd = ((place + 1.013) * 8).floor().sum(1, keepdim=True) % 2
    dark, light = (torch.tensor(it, device=place.device) for it in ([0.15, 0.3, 0.6], [0.9, 0.8, 0.3]))
    return odd * light + (1 - odd) * dark


def fine(place: Any) -> Any:
    """Waves of a few pixels."""
    return 0.5 + 0.4 * torch.sin(place * 60 + 15 * torch.sin(place.roll(1, 1) * 9))


def camera(index: int, count: int) -> tuple[Any, Any]:
    """Extrinsics and intrinsics of one of `count` cameras around the object."""
    height = 1 - (2 * index + 1) / count
    angle = index * math.pi * (3 - 5**0.5)
    ring = (1 - height**2) ** 0.5
    eye = torch.tensor([ring * math.cos(angle), ring * math.sin(angle), height]) * 2
    ahead = -eye / 2
    right = torch.nn.functional.normalize(torch.linalg.cross(ahead, torch.tensor([0.0, 0, 1])), dim=0)
    axes = torch.stack((right, torch.linalg.cross(ahead, right), ahead))
    extrinsics = torch.eye(4)
    extrinsics[:3, :3], extrinsics[:3, 3] = axes, -axes @ eye
    focal = 0.5 / math.tan(math.radians(20))
    return extrinsics, torch.tensor([[focal, 0, 0.5], [0, focal, 0.5], [0, 0, 1.0]])


def picture(surface: Surface, matrix: Any, side: int, samples: int = 3, paint: Colour = colour) -> Any:
    """The painted object (side, side, 3) uint8 as a camera sees it, first row at the top, black around it."""
    fine = side * samples
    positions = torch.nn.functional.pad(surface.vertices, (0, 1), value=1.0) @ matrix.T
    face_of = rasterise(positions[None], surface.faces, fine, fine).view(-1)
    pixel = (face_of >= 0).nonzero()[:, 0]
    share = shares(positions[None], surface.faces, face_of[pixel], pixel, (fine, fine)).here
    place = (share[..., None] * surface.vertices[surface.faces[face_of[pixel]]]).sum(1)
    drawn = torch.zeros(fine * fine, 3, device=place.device)
    drawn[pixel] = paint(place)
    drawn = torch.nn.functional.avg_pool2d(drawn.view(fine, fine, 3).permute(2, 0, 1), samples)
    return (drawn.permute(1, 2, 0).flip(0) * 255).round().byte()


def views(
    surface: Surface, count: int, side: int, which: slice = slice(None), paint: Colour = colour
) -> list[tuple[Any, Any]]:
    """Clip matrices and pictures, each in a batch of one."""
    matrices = [clip_matrix(*camera(index, count)) for index in range(count)][which]
    return [(matrix[None], picture(surface, matrix, side, paint=paint)[None]) for matrix in matrices]
