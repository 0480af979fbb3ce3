"""Kernels of our own for NVIDIA GPUs, and the one that is the loop of `raster.py` over faces, rows, pixels.

torch compiles them at run time, as it does for some operators of its own, with the NVRTC that it brings
along; what comes out is kept in its cache of kernels. Each call of the drawing function draws some rows of
one face of one picture. All sums are of whole numbers, or rounded where `raster.py` rounds them: the
pictures are the same.
"""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

torch: Any = importlib.import_module("torch")
log = logging.getLogger(__name__)

# `on` or `off`.
VARIABLE = "TRELLIS_WORKER_KERNELS"
# Who share the rows of a face: a few faces can be as large as the picture.
LANES = 4

SOURCE = """
template <typename T>
T draw_rows(T item, T places, T depths, T faces, T nearest, T face_count, T vertex_count, T width,
            T height, T subpixel_bits, T face_bits, T ranks, T lanes) {
  const T picture = item / (lanes * face_count);
  const T face = item % face_count;
  const T lane = item / face_count - picture * lanes;
  const T* corners = (const T*)faces + 3 * face;
  const T base = picture * vertex_count;
  T x[3], y[3];
  double depth[3];
  for (int k = 0; k < 3; ++k) {
    const T vertex = base + corners[k];
    x[k] = ((const T*)places)[2 * vertex];
    y[k] = ((const T*)places)[2 * vertex + 1];
    depth[k] = ((const double*)depths)[vertex];
    if (!(depth[k] == depth[k])) return 0;
  }
  T area = (x[1] - x[0]) * (y[2] - y[0]) - (y[1] - y[0]) * (x[2] - x[0]);
  if (area == 0) return 0;
  if (area < 0) {
    area = -area;
    T other = x[1]; x[1] = x[2]; x[2] = other;
    other = y[1]; y[1] = y[2]; y[2] = other;
    double away = depth[1]; depth[1] = depth[2]; depth[2] = away;
  }
  const T half = (T)1 << (subpixel_bits - 1);
  T low_x = x[0], high_x = x[0], low_y = y[0], high_y = y[0];
  for (int k = 1; k < 3; ++k) {
    low_x = x[k] < low_x ? x[k] : low_x;
    high_x = x[k] > high_x ? x[k] : high_x;
    low_y = y[k] < low_y ? y[k] : low_y;
    high_y = y[k] > high_y ? y[k] : high_y;
  }
  low_x = -((half - low_x) >> subpixel_bits);
  low_y = -((half - low_y) >> subpixel_bits);
  high_x = (high_x - half) >> subpixel_bits;
  high_y = (high_y - half) >> subpixel_bits;
  low_x = low_x > 0 ? low_x : 0;
  low_y = low_y > 0 ? low_y : 0;
  high_x = high_x < width - 1 ? high_x : width - 1;
  high_y = high_y < height - 1 ? high_y : height - 1;
  if (high_x < low_x || high_y < low_y) return 0;
  T a[3], b[3], c[3];
  for (int k = 0; k < 3; ++k) {
    const int from = (k + 1) % 3, to = (k + 2) % 3;
    const T along_x = x[to] - x[from], along_y = y[to] - y[from];
    const bool inclusive = along_y < 0 || (along_y == 0 && along_x < 0);
    a[k] = -along_y;
    b[k] = along_x;
    c[k] = -(a[k] * x[from] + b[k] * y[from]) - (inclusive ? 0 : 1);
  }
  for (T row = low_y + lane; row <= high_y; row += lanes) {
    T start = low_x, end = high_x, at_zero[3];
    bool outside = false;
    for (int k = 0; k < 3; ++k) {
      at_zero[k] = a[k] * half + b[k] * ((row << subpixel_bits) + half) + c[k];
      const T by_pixel = a[k] << subpixel_bits;
      if (a[k] == 0) {
        outside = outside || at_zero[k] < 0;
        continue;
      }
      const T divisor = by_pixel < 0 ? -by_pixel : by_pixel;
      T bound = at_zero[k] / divisor;
      if (bound * divisor > at_zero[k]) --bound;
      if (a[k] > 0) start = -bound > start ? -bound : start;
      else end = bound < end ? bound : end;
    }
    if (outside || end < start) continue;
    double here[3], step[3];
    for (int k = 0; k < 3; ++k) {
      const T by_pixel = a[k] << subpixel_bits;
      here[k] = __dmul_rn((double)(at_zero[k] + by_pixel * start), depth[k]);
      step[k] = __dmul_rn((double)by_pixel, depth[k]);
    }
    const double first = __ddiv_rn(__dadd_rn(__dadd_rn(here[0], here[1]), here[2]), (double)area);
    const double slope = __ddiv_rn(__dadd_rn(__dadd_rn(step[0], step[1]), step[2]), (double)area);
    T* pixel = (T*)nearest + (picture * height + row) * width + start;
    for (T within = 0; within <= end - start; ++within, ++pixel) {
      const double away = __dadd_rn(first, __dmul_rn(slope, (double)within));
      if (!(away >= -1 && away <= 1)) continue;
      const double scaled = __dmul_rn(__dmul_rn(__dadd_rn(away, 1.0), 0.5), (double)ranks);
      const T key = (__double2ll_rn(scaled) << face_bits) | face;
      if (key < *pixel) atomicMin(pixel, key);
    }
  }
  return 0;
}
"""


def names_of(source: str) -> list[str]:
    """What a kernel's function takes beside the number of its call, in its order."""
    return [part.split()[1] for part in source[source.index("(") + 1 : source.index(")")].split(",")][1:]


NAMES = names_of(SOURCE)


@dataclass(frozen=True)
class Grid:
    """How `raster.py` counts."""

    subpixel_bits: int  # of a pixel's side
    face_bits: int  # of a key, below the depth's
    ranks: int  # the depth's largest


def wanted() -> bool:
    """Whether the server's environment leaves it on, and a GPU of NVIDIA's is here."""
    on = os.environ.get(VARIABLE, "on") == "on"
    return on and bool(torch.cuda.is_available()) and torch.version.cuda is not None


@cache
def made(source: str, attempt: Callable[[Callable[..., Any], str], None]) -> Callable[..., Any] | None:
    """The function of `source`, tried by `attempt`; `None` where it does not compile or is wrong."""
    if not wanted():
        return None
    try:
        function: Callable[..., Any] = torch.cuda.jiterator._create_jit_fn(
            source, **dict.fromkeys(names_of(source), 0)
        )
        attempt(function, "cuda")
    except (AttributeError, RuntimeError) as error:
        log.warning("torch's own operators do a kernel's work, for it compiles none here: %s", error)
        return None
    return function


def compiled() -> Callable[..., None] | None:
    """What draws, see `drawing`; `None` where there is no kernel."""
    rows = made(SOURCE, attempt)
    return None if rows is None else drawing(rows)


def drawing(rows: Callable[..., Any]) -> Callable[..., None]:
    """Makes of the function `rows` what draws whole pictures.

    The result takes corners' places (B, V, 2) int64 on the snapped grid, their depths (B, V) float64 (not a
    number behind the camera), faces (F, 3) int64, and the keys (B, H, W) int64 of what is nearest so far.
    """

    def draw(places: Any, depths: Any, faces: Any, nearest: Any, grid: Grid) -> None:
        tensors = (places.contiguous(), depths.contiguous(), faces.contiguous())
        pictures, height, width = nearest.shape
        # Picture after picture: faces write anywhere in one, and those drawn at a time fit the GPU's cache.
        items = torch.arange(pictures * LANES * len(faces), device=faces.device)
        addresses = dict(zip(NAMES, (tensor.data_ptr() for tensor in (*tensors, nearest)), strict=False))
        rows(
            items,
            **addresses,
            face_count=len(faces),
            vertex_count=places.shape[1],
            width=width,
            height=height,
            subpixel_bits=grid.subpixel_bits,
            face_bits=grid.face_bits,
            ranks=grid.ranks,
            lanes=LANES,
        )

    return draw


def attempt(rows: Callable[..., Any], device: str) -> None:
    """Draws one face over four pixels; raises a `RuntimeError` where that is not what comes out."""
    draw = drawing(rows)
    places = torch.tensor([[[0, 0], [64, 0], [0, 64]]], device=device)
    depths = torch.zeros(1, 3, dtype=torch.float64, device=device)
    nearest = torch.full((1, 2, 2), 1 << 62, device=device)
    draw(places, depths, torch.tensor([[0, 1, 2]], device=device), nearest, Grid(4, 8, 3))
    if nearest.tolist() != [[[512, 512], [512, 512]]]:
        raise RuntimeError(f"it draws {nearest.tolist()}")
