"""Lays charts side by side in a texture, as large as they fit.

The tallest come first, and each goes where it comes to lie lowest: what counts is the lower outline of a
chart, column by column, above the upper outline of all that lies there already. Outlines are in columns of
some texels. Where there are very many, the smallest lie in rows, side by side: to look for a place of its own
for each would take hours.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..failures import WorkerError
from ..protocol import Kind
from .charts import Charts

torch: Any = importlib.import_module("torch")
numpy: Any = importlib.import_module("numpy")

# The largest texture that a job may ask for.
LARGEST = 4096
# Texels that stay free around a chart, so that nothing of another is mixed in between texels; fewer where
# thousands of specks would have no room.
MARGINS = (2, 1, 0)
# As many columns at most.
COLUMNS = 1024
# The part of the texture that charts cover at first, and how full is full enough.
COVERED, FULL = 0.65, 0.97
TRIES = 6
# Charts that are placed by their outlines; smaller ones lie in rows.
BY_OUTLINE = 8192
# Of these, how many between two looks at whether the job was cancelled.
AT_ONCE = 1024


@dataclass(frozen=True)
class Packed:
    """Where charts lie."""

    scale: float  # texels for a length of 1
    place: Any  # (C, 2) texels of each chart's least corner


def pack(charts: Charts, size: int, check: Callable[[], None] = lambda: None) -> Packed:
    """Into a texture of `size`, at least 64; `check` is called every now and then."""
    for margin in MARGINS:
        packed = _packed(charts, size, margin, check)
        if packed is not None:
            return packed
    way = (
        "ask for a larger `texture_size`"
        if size < LARGEST
        else "that is the largest `texture_size`: join pieces of the mesh, or leave small ones out"
    )
    raise WorkerError(
        Kind.BAD_INPUT,
        f"the {charts.count} pieces of the surface have no room in a texture of {size}; {way}",
    )


def _packed(charts: Charts, size: int, margin: int, check: Callable[[], None]) -> Packed | None:
    texels = _texels(size)
    least = (2 * margin // texels + 1) * max(2 * margin, 1)
    if charts.count * least > size // texels * size:
        return None
    area = float(charts.areas().abs().sum())
    room = (size - 2 * margin - 2) / max(float(charts.extent.max()), 1e-20)
    scale = min((COVERED * size * size / max(area, 1e-20)) ** 0.5, room)
    best = None
    for attempt in range(2 * TRIES):
        place, height = _placed(charts, scale, size, margin, check)
        if height <= size and (best is None or scale > best.scale):
            best = Packed(scale, place)
        enough = height <= size and (height >= FULL * size or scale >= room * 0.999)
        if enough or (attempt >= TRIES and best is not None):
            break
        # A little less than what would fill it, for what has no room this time; margins do not shrink.
        scale *= (size / height) ** 0.5 * (1 if height <= size else 0.995 if attempt < TRIES else 0.7)
        scale = min(scale, room)
    return best


def _texels(size: int) -> int:
    """In a column."""
    return -(-size // COLUMNS)


def _placed(
    charts: Charts, scale: float, size: int, margin: int, check: Callable[[], None]
) -> tuple[Any, float]:
    """Places (C, 2) at this scale, and how high the highest chart reaches."""
    texels = _texels(size)
    starts, below, above = _outlines(charts, scale, texels, margin)
    columns = size // texels
    # The upper outline of what lies there.
    line = numpy.zeros(columns)
    place = numpy.zeros((charts.count, 2))
    heights = charts.extent[:, 1].cpu().numpy()
    order = numpy.argsort(-heights, kind="stable")
    for number, chart in enumerate(order[:BY_OUTLINE]):
        if number % AT_ONCE == 0:
            check()
        bottom, top = (side[starts[chart] : starts[chart + 1]] for side in (below, above))
        if len(bottom) > columns:
            return place, float(size) * len(bottom) / columns * 1.1
        windows = numpy.lib.stride_tricks.sliding_window_view(line, len(bottom))
        rest = numpy.ceil((windows - bottom).max(1))
        at = int(rest.argmin())
        place[chart] = at * texels + margin, rest[at]
        line[at : at + len(bottom)] = rest[at] + top
    height = float(line.max())
    if len(small := order[BY_OUTLINE:]):
        widths = numpy.diff(starts)[small]
        if widths.max() > columns:
            return place, float(size) * widths.max() / columns * 1.1
        corners, height = _in_rows(widths, heights[small] * scale + 2 * margin, columns, height)
        place[small] = corners * (texels, 1) + margin
    return torch.tensor(place, dtype=charts.flat.dtype, device=charts.flat.device), height


def _in_rows(widths: Any, heights: Any, columns: int, height: float) -> tuple[Any, float]:
    """Lays boxes, the highest first, side by side in rows from `height` on: their least corners (C, 2), in
    columns and texels, and how high they reach."""
    ends = widths.cumsum()
    corners = numpy.zeros((len(widths), 2))
    first = 0
    while first < len(widths):
        start = ends[first] - widths[first]
        after = int(numpy.searchsorted(ends, start + columns, side="right"))
        corners[first:after, 0] = ends[first:after] - widths[first:after] - start
        corners[first:after, 1] = height = float(numpy.ceil(height))
        height += float(heights[first])
        first = after
    return corners, height


def _outlines(charts: Charts, scale: float, texels: int, margin: int) -> tuple[Any, Any, Any]:
    """Of each chart the lower and the upper outline by columns, margins included, one chart behind the other;
    and where each begins."""
    widths = ((charts.extent[:, 0] * scale + 2 * margin) / texels).floor().long() + 1
    ends = widths.cumsum(0)
    starts = ends - widths
    total = int(ends[-1])
    flat = charts.flat * scale
    start, end = flat.reshape(-1, 2), flat.roll(-1, 1).reshape(-1, 2)
    chart = charts.of_face.repeat_interleave(3)
    left = torch.where((start[:, 0] <= end[:, 0])[:, None], start, end)
    right = torch.where((start[:, 0] <= end[:, 0])[:, None], end, start)
    # With its margin an edge reaches from so many columns to so many.
    low = (left[:, 0] / texels).floor().long()
    high = ((right[:, 0] + 2 * margin) / texels).floor().long()
    count = high - low + 1
    edge = torch.repeat_interleave(count)
    column = low[edge] + torch.arange(len(edge), device=edge.device) - (count.cumsum(0) - count)[edge]
    left, right = left[edge], right[edge]
    slope = (right[:, 1] - left[:, 1]) / (right[:, 0] - left[:, 0]).clamp(min=1e-9)
    heights = []
    for side in (column * texels - 2 * margin, (column + 1) * texels):
        within = torch.minimum((side - left[:, 0]).clamp(min=0), right[:, 0] - left[:, 0])
        heights.append(left[:, 1] + slope * within)
    index = starts[chart[edge]] + column
    below = torch.full((total,), torch.inf, device=flat.device)
    above = torch.zeros(total, device=flat.device)
    below.scatter_reduce_(0, index, torch.minimum(*heights) - margin, "amin")
    above.scatter_reduce_(0, index, torch.maximum(*heights) + margin, "amax")
    # What no edge reaches is free.
    below = torch.where(below.isinf(), above, below)
    starts = torch.cat([starts, ends[-1:]])
    return tuple(part.cpu().numpy() for part in (starts, below.double(), above.double()))
