"""The one function of kaolin that FlexiCubes uses."""

from __future__ import annotations

from typing import Any


def check_tensor(tensor: Any, shape: tuple[int | None, ...] | None = None, throw: bool = True) -> bool:
    """Whether a tensor has a shape, in which `None` is any size."""
    fits = shape is None or (
        len(tensor.shape) == len(shape)
        and all(wanted in (None, found) for wanted, found in zip(shape, tensor.shape, strict=True))
    )
    if throw and not fits:
        raise ValueError(f"a tensor has the shape {tuple(tensor.shape)}, not {shape}")
    return fits
