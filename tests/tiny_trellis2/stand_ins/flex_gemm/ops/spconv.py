"""Convolutions over the voxels that there are, one offset of the kernel after the other."""

from __future__ import annotations

import itertools
from typing import Any

import torch

from .lookup import Lookup


def set_algorithm(_name: str) -> None:
    """There is one."""


def set_hashmap_ratio(_ratio: float) -> None:
    """There is no such map."""


def sparse_submanifold_conv3d(
    feats: torch.Tensor,
    coords: torch.Tensor,
    _shape: torch.Size,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    neighbours: Any,
    _dilation: tuple[int, int, int],
) -> tuple[torch.Tensor, Any]:
    """`weight` is (Co, 3, 3, 3, Ci), `coords` (N, 4) with the batch's number first."""
    offsets = list(itertools.product((-1, 0, 1), repeat=3))
    if neighbours is None:
        lookup = Lookup(coords[:, 1:])
        neighbours = [lookup.rows(coords[:, 1:] + torch.tensor(offset)) for offset in offsets]
    result = feats.new_zeros(len(feats), len(weight))
    for (x, y, z), rows in zip(offsets, neighbours, strict=True):
        there = rows >= 0
        result[there] += feats[rows[there]] @ weight[:, x + 1, y + 1, z + 1].T
    return (result if bias is None else result + bias), neighbours
