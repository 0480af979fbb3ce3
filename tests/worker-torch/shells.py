"""Closed meshes in a grid of voxels whose colours are known everywhere, as TRELLIS.2 decodes them."""

from __future__ import annotations

import importlib.util
from types import SimpleNamespace
from typing import Any

import numpy
import torch
from kit import ROOT

LAYOUT = {
    "base_color": slice(0, 3),
    "metallic": slice(3, 4),
    "roughness": slice(4, 5),
    "alpha": slice(5, 6),
}
SAMPLES = 40_000

_spec = importlib.util.spec_from_file_location("cumesh", ROOT / "tests/tiny_trellis2/stand_ins/cumesh.py")
assert _spec is not None and _spec.loader is not None
cumesh = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(cumesh)


def painted(places: Any) -> Any:
    """Base colour, metallic, roughness and alpha (N, 6) of places (N, 3)."""
    waves = 0.5 + 0.4 * torch.sin(places * 21 + places.roll(1, 1) * 13)
    metal = 0.5 + 0.4 * torch.sin(places[:, :1] * 15)
    rough = 0.5 + 0.4 * torch.cos(places[:, 1:2] * 15)
    return torch.cat([waves, metal, rough, torch.ones_like(metal)], -1)


def decoded(vertices: Any, faces: Any, resolution: int) -> Any:
    """The mesh, its faces not much larger than a voxel, with the voxels that it goes through and those around."""
    vertices, faces = torch.as_tensor(vertices).float(), torch.as_tensor(faces)
    share = torch.tensor([[1, 0, 0], [1, 1, 0], [0, 1, 1], [1, 0, 1], [1, 1, 1]]).float()
    share = share / share.sum(1, keepdim=True)
    cells = ((share @ vertices[faces] + 0.5) * resolution).floor().long().reshape(-1, 3).unique(dim=0)
    line = torch.tensor([-1, 0, 1])
    around = torch.stack(torch.meshgrid(line, line, line, indexing="ij"), -1).reshape(-1, 3)
    coords = (cells[:, None] + around).reshape(-1, 3).unique(dim=0)
    return SimpleNamespace(
        vertices=vertices,
        faces=faces.int(),
        origin=torch.tensor([-0.5, -0.5, -0.5]),
        voxel_size=1 / resolution,
        coords=coords.int(),
        attrs=painted((coords + 0.5) / resolution - 0.5).half(),
        layout=LAYOUT,
    )


def worth(made: Any, outside: float = 0) -> dict[str, float]:
    """PSNR of a GLB's textures at places all over its faces, as a viewer would sample them there. The truth is that of
    places so far inside of the faces."""
    random = numpy.random.default_rng(1)
    vertices = numpy.stack([made.vertices[:, 0], -made.vertices[:, 2], made.vertices[:, 1]], 1)
    corners = vertices[made.faces]
    areas = numpy.linalg.norm(
        numpy.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
    )
    which = random.choice(len(areas), SAMPLES, p=areas / areas.sum())
    share = random.dirichlet((1, 1, 1), SAMPLES)[..., None]
    facing = numpy.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[which]
    inwards = facing / numpy.linalg.norm(facing, axis=1, keepdims=True) * outside
    truth = painted(torch.from_numpy((corners[which] * share).sum(1) - inwards))
    uvs = torch.from_numpy((made.visual.uv[made.faces[which]] * share).sum(1)).float()
    material = made.visual.material
    found = {}
    for name, picture, channels, columns in (
        ("colour", material.baseColorTexture, [0, 1, 2], slice(0, 3)),
        ("metal and roughness", material.metallicRoughnessTexture, [2, 1], slice(3, 5)),
    ):
        pixels = torch.from_numpy(numpy.array(picture)[..., channels] / 255).float().permute(2, 0, 1)
        grid = torch.stack((uvs[:, 0] * 2 - 1, 1 - uvs[:, 1] * 2), -1)[None, None]
        seen = torch.nn.functional.grid_sample(pixels[None], grid, align_corners=False)[0, :, 0].T
        found[name] = float(-10 * ((seen - truth[:, columns]) ** 2).mean().log10())
    return found
