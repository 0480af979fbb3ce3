"""Which texels the pixels of a rendered view see, and what colour they have there.

Cameras are as OpenCV has them (Z ahead, Y down), with focal lengths in parts of the picture.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, fields
from typing import Any

from .raster import rasterise, shares

torch: Any = importlib.import_module("torch")

NEAR, FAR = 0.1, 10.0


@dataclass(frozen=True)
class Surface:
    """An unwrapped mesh: vertices (V, 3), faces (F, 3), texture coordinates (V, 2) from 0 to 1, V up."""

    vertices: Any
    faces: Any
    uvs: Any


@dataclass(frozen=True)
class Seen:
    """Pixels of one or more views, one a row."""

    place: Any  # (N, 2) in texels, the centre of the first one at 0
    footprint: Any  # (N) texels that a pixel's longest diameter covers
    facing: Any  # (N) its shortest diameter by its longest: 1 where the surface faces the camera
    colour: Any  # (N, 3) uint8

    def __len__(self) -> int:
        return len(self.footprint)


def joined(parts: list[Seen]) -> Seen:
    """All rows, in order."""
    columns = {field.name: [getattr(part, field.name) for part in parts] for field in fields(Seen)}
    return Seen(**{name: torch.cat(column) for name, column in columns.items()})


def clip_matrix(extrinsics: Any, intrinsics: Any) -> Any:
    """From the world to clip space with Y up: (4, 4)."""
    rows = torch.zeros(4, 4, dtype=extrinsics.dtype, device=extrinsics.device)
    rows[0, 0], rows[0, 2] = 2 * intrinsics[0, 0], 2 * intrinsics[0, 2] - 1
    rows[1, 1], rows[1, 2] = -2 * intrinsics[1, 1], 1 - 2 * intrinsics[1, 2]
    rows[2, 2], rows[2, 3] = (FAR + NEAR) / (FAR - NEAR), -2 * FAR * NEAR / (FAR - NEAR)
    rows[3, 2] = 1
    return rows @ extrinsics


def observe(surface: Surface, matrices: Any, pictures: Any, texture_size: int) -> Seen:
    """What views see: of each its matrix (B, 4, 4) and its picture (B, H, W, 3) uint8, the first row at the
    top, black where nothing is."""
    height, width = pictures.shape[1:3]
    positions = torch.nn.functional.pad(surface.vertices, (0, 1), value=1.0) @ matrices.mT
    face_of = rasterise(positions, surface.faces, width, height).view(-1)
    colours = pictures.flip(1).reshape(-1, 3)
    pixel = ((face_of >= 0) & (colours > 0).any(1)).nonzero()[:, 0]
    face_of = face_of[pixel]
    share = shares(positions, surface.faces, face_of, pixel, (width, height))
    texels = surface.uvs[surface.faces.long()[face_of]] * texture_size
    here, right, up = ((part[..., None] * texels).sum(1) for part in (share.here, share.right, share.up))
    longest, shortest = _diameters(right - here, up - here)
    return Seen(here - 0.5, longest, shortest / longest.clamp(min=1e-6), colours[pixel])


def _diameters(right: Any, up: Any) -> tuple[Any, Any]:
    """The singular values of the change of place from pixel to pixel."""
    whole = (right**2).sum(1) + (up**2).sum(1)
    area = (right[:, 0] * up[:, 1] - right[:, 1] * up[:, 0]).abs()
    apart = (whole**2 - 4 * area**2).clamp(min=0).sqrt()
    longest = ((whole + apart) / 2).sqrt()
    return longest, area / longest.clamp(min=1e-6)
