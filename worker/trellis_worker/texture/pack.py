"""Lays charts side by side in a texture, as large as they fit.

The tallest come first, and each goes where it comes to lie lowest: what counts is the lower outline of a
chart, column by column, above the upper outline of all that lies there already. Outlines are in columns of
some texels.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

from .charts import Charts

torch: Any = importlib.import_module("torch")
numpy: Any = importlib.import_module("numpy")

# Texels that stay free around a chart, so that nothing of another is mixed in between texels; fewer where
# thousands of specks would have no room.
MARGINS = (2, 1, 0)
# As many columns at most.
COLUMNS = 1024
# The part of the texture that charts cover at first, and how full is full enough.
COVERED, FULL = 0.65, 0.97
TRIES = 6


@dataclass(frozen=True)
class Packed:
    """Where charts lie."""

    scale: float  # texels for a length of 1
    place: Any  # (C, 2) texels of each chart's least corner


def pack(charts: Charts, size: int) -> Packed:
    """Into a texture of `size`, at least 64."""
    for margin in MARGINS:
        packed = _packed(charts, size, margin)
        if packed is not None:
            return packed
    raise ValueError(f"{charts.count} charts find no room in a texture of {size}")


def _packed(charts: Charts, size: int, margin: int) -> Packed | None:
    area = float(charts.areas().abs().sum())
    room = (size - 2 * margin - 2) / max(float(charts.extent.max()), 1e-20)
    scale = min((COVERED * size * size / max(area, 1e-20)) ** 0.5, room)
    best = None
    for attempt in range(2 * TRIES):
        place, height = _placed(charts, scale, size, margin)
        if height <= size and (best is None or scale > best.scale):
            best = Packed(scale, place)
        enough = height <= size and (height >= FULL * size or scale >= room * 0.999)
        if enough or (attempt >= TRIES and best is not None):
            break
        # A little less than what would fill it, for what has no room this time; margins do not shrink.
        scale *= (size / height) ** 0.5 * (1 if height <= size else 0.995 if attempt < TRIES else 0.7)
        scale = min(scale, room)
    return best


def _placed(charts: Charts, scale: float, size: int, margin: int) -> tuple[Any, float]:
    """Places (C, 2) at this scale, and how high the highest chart reaches."""
    texels = -(-size // COLUMNS)
    starts, below, above = _outlines(charts, scale, texels, margin)
    columns = size // texels
    # The upper outline of what lies there.
    line = numpy.zeros(columns)
    place = numpy.zeros((charts.count, 2))
    heights = charts.extent[:, 1].cpu().numpy()
    for chart in numpy.argsort(-heights, kind="stable"):
        bottom, top = (side[starts[chart] : starts[chart + 1]] for side in (below, above))
        if len(bottom) > columns:
            return place, float(size) * len(bottom) / columns * 1.1
        windows = numpy.lib.stride_tricks.sliding_window_view(line, len(bottom))
        rest = numpy.ceil((windows - bottom).max(1))
        at = int(rest.argmin())
        place[chart] = at * texels + margin, rest[at]
        line[at : at + len(bottom)] = rest[at] + top
    return torch.tensor(place, dtype=charts.flat.dtype, device=charts.flat.device), float(line.max())


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
