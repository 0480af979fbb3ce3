"""Which triangle each pixel of a picture shows, in torch alone or by the kernel of `kernel.py`.

Positions are snapped to a sixteenth of a pixel, so that the edge functions are whole numbers: a pixel on an
edge that two triangles share belongs to exactly one of them (the top-left rule), and no order of summation
can change the picture. nvdiffrast, which the tests on a GPU compare with, snaps to the same grid.

Pictures have their first row at the bottom, as OpenGL and nvdiffrast have it. Not here: clipping; a triangle
with a corner behind the camera is left out whole.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

from . import kernel

torch: Any = importlib.import_module("torch")

# Steps in a pixel.
SUBPIXEL_BITS = 4
SUBPIXELS = 1 << SUBPIXEL_BITS
# Beyond so many pixels from the picture a corner is moved nearer, which keeps products within 64 bits.
FARTHEST = 1 << 20
# Pixels of bounding boxes in one go: what bounds the memory, at most 100 bytes for each.
AT_ONCE = 1 << 23
# Depth in the upper part of a key, the face in the lower: the least key is the nearest face.
FACE_BITS = 32
DEPTHS = (1 << 30) - 1
NOTHING = (1 << 63) - 1
GRID = kernel.Grid(SUBPIXEL_BITS, FACE_BITS, DEPTHS)


@dataclass(frozen=True)
class Edges:
    """Triangles as three functions `a·x + b·y + c`, not negative inside, on the snapped grid."""

    a: Any  # (F, 3) int64
    b: Any
    c: Any
    doubled_area: Any  # (F) int64, positive
    depth: Any  # (F, 3) float64, of the corners opposite to the edges
    face: Any  # (F) int64, which face each is
    first: Any  # (F) int64, the first pixel of the picture that it is in
    low: Any  # (F, 2) int64, the first pixel of the bounding box
    size: Any  # (F, 2) int64, pixels of the bounding box, none of them empty


def rasterise(clip: Any, faces: Any, width: int, height: int) -> Any:
    """Returns the index of the nearest face at each pixel, or -1: (B, height, width) int64.

    `clip` (B, V, 4) are positions in clip space of each picture, `faces` (F, 3) their indices. Several
    pictures at once take less time than one by one: most of it goes into starting small pieces of work.
    """
    faces = faces.long()
    places, depths = _snapped(clip, width, height)
    nearest = torch.full((len(clip), height, width), NOTHING, dtype=torch.int64, device=clip.device)
    draw = kernel.compiled() if clip.is_cuda else None
    if draw is not None:
        draw(places, depths, faces, nearest, GRID)
    else:
        _draw_all(_edges(places, depths, faces, (width, height)), width, nearest.view(-1))
    return torch.where(nearest == NOTHING, -1, nearest & ((1 << FACE_BITS) - 1))


def _snapped(clip: Any, width: int, height: int) -> tuple[Any, Any]:
    """Of corners (B, V, 4) their places (B, V, 2) int64 on the grid, and their depths (B, V) float64, not a
    number behind the camera."""
    clip = clip.double()
    w = clip[..., 3]
    extent = torch.tensor([width, height], dtype=torch.float64, device=clip.device)
    pixels = ((clip[..., :2] / w[..., None] + 1) * 0.5 * extent).clamp(-FARTHEST, FARTHEST)
    return (pixels * SUBPIXELS).round().long(), torch.where(w > 0, clip[..., 2] / w, torch.nan)


def _draw_all(edges: Edges, width: int, nearest: Any) -> None:
    for first, last in _portions(edges.size.prod(1)):
        _draw(edges, slice(first, last), width, nearest)


def _edges(places: Any, depths: Any, faces: Any, extent: tuple[int, int]) -> Edges:
    """The triangles that may show: in front of the camera, not seen from the side, and in the picture."""
    width, height = extent
    picture, face = (~depths.isnan())[:, faces].all(2).nonzero(as_tuple=True)
    corners = picture[:, None], faces[face]
    place, depth = places[corners], depths[corners]

    area = _cross(place[:, 1] - place[:, 0], place[:, 2] - place[:, 0])
    turned = torch.where(area[:, None] < 0, area.new_tensor([0, 2, 1]), area.new_tensor([0, 1, 2]))
    place = place.gather(1, turned[..., None].expand(-1, -1, 2))
    depth = depth.gather(1, turned)

    half = SUBPIXELS // 2
    low = -((half - place.amin(1)) // SUBPIXELS)
    high = (place.amax(1) - half) // SUBPIXELS
    low = low.clamp(min=0)
    high = torch.minimum(high, area.new_tensor([width - 1, height - 1]))
    shown = ((high >= low).all(1) & (area != 0)).nonzero()[:, 0]
    place = place[shown]

    # The edge opposite to corner k runs from corner k + 1 to corner k + 2.
    start, end = place.roll(-1, 1), place.roll(-2, 1)
    along = end - start
    a, b = -along[..., 1], along[..., 0]
    # A pixel's centre on an edge is inside if the edge is a left or a top one.
    inclusive = (along[..., 1] < 0) | ((along[..., 1] == 0) & (along[..., 0] < 0))
    c = -(a * start[..., 0] + b * start[..., 1]) - (~inclusive).long()
    first = picture[shown] * (width * height)
    size = (high - low + 1)[shown]
    return Edges(a, b, c, area[shown].abs(), depth[shown], face[shown], first, low[shown], size)


def _cross(first: Any, second: Any) -> Any:
    return first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]


def _portions(counts: Any) -> list[tuple[int, int]]:
    """Runs of triangles whose bounding boxes have at most `AT_ONCE` pixels; a larger one is by itself."""
    ends = counts.cumsum(0).cpu()
    portions, first, before = [], 0, 0
    while first < len(ends):
        last = int(torch.searchsorted(ends, before + AT_ONCE, right=True))
        last = max(last, first + 1)
        portions.append((first, last))
        first, before = last, int(ends[last - 1])
    return portions


def _draw(edges: Edges, some: slice, width: int, nearest: Any) -> None:
    """Keeps the nearest face of each pixel of these triangles."""
    rows = _rows(edges, some, width)
    total = int(rows.count.sum())
    of = torch.repeat_interleave(rows.count, output_size=total)
    within = torch.arange(total, device=of.device) - (rows.count.cumsum(0) - rows.count)[of]
    depth = rows.depth[of] + rows.slope[of] * within
    between = (depth >= -1) & (depth <= 1)
    rank = ((depth + 1) * 0.5 * DEPTHS).round().long()
    key = torch.where(between, (rank << FACE_BITS) | rows.face[of], NOTHING)
    nearest.scatter_reduce_(0, rows.first[of] + within, key, "amin")


@dataclass(frozen=True)
class Rows:
    """The parts of triangles that lie in one row of pixels each."""

    count: Any  # (R) int64, pixels inside, maybe none
    first: Any  # (R) int64, the first of them in the flat pictures
    depth: Any  # (R) float64, there
    slope: Any  # (R) float64, by which it changes to the next
    face: Any  # (R) int64


def _rows(edges: Edges, some: slice, width: int) -> Rows:
    """Where the edges' functions, linear along a row, are all not negative: no pixel is asked."""
    heights = edges.size[some, 1]
    of = torch.repeat_interleave(heights)
    low = edges.low[some][of]
    y = low[:, 1] + torch.arange(len(of), device=of.device) - (heights.cumsum(0) - heights)[of]
    half = SUBPIXELS // 2
    a = edges.a[some][of]
    by_pixel = a * SUBPIXELS
    at_zero = a * half + edges.b[some][of] * (y * SUBPIXELS + half)[:, None] + edges.c[some][of]
    bound = torch.div(at_zero, by_pixel.abs().clamp(min=1), rounding_mode="floor")
    start = torch.where(a > 0, -bound, low[:, :1]).amax(1).maximum(low[:, 0])
    last = low[:, 0] + edges.size[some][of, 0] - 1
    end = torch.where(a < 0, bound, last[:, None]).amin(1).minimum(last)
    outside = ((a == 0) & (at_zero < 0)).any(1)
    count = torch.where(outside, 0, (end - start + 1).clamp(min=0))
    area, depths = edges.doubled_area[some][of], edges.depth[some][of]
    share = at_zero + by_pixel * start[:, None]
    return Rows(
        count,
        edges.first[some][of] + y * width + start,
        _summed(share.double() * depths) / area,
        _summed(by_pixel.double() * depths) / area,
        edges.face[some][of],
    )


def _summed(three: Any) -> Any:
    """Of columns in their order, which a sum along a dimension leaves open."""
    return three[:, 0] + three[:, 1] + three[:, 2]


@dataclass(frozen=True)
class Shares:
    """How much of each corner a point has, corrected for perspective, and how that changes by a pixel."""

    here: Any  # (N, 3)
    right: Any  # (N, 3), a pixel further to the right
    up: Any


def shares(clip: Any, faces: Any, face_of: Any, pixel: Any, extent: tuple[int, int]) -> Shares:
    """The corners' shares at pixels' centres. `face_of` (N) are the faces there, `pixel` (N) the places in
    pictures of `extent`, their width and height, as a flat result of `rasterise` has them."""
    width, height = extent
    row = torch.div(pixel, width, rounding_mode="floor")
    picture = torch.div(row, height, rounding_mode="floor")
    corners = clip[picture[:, None], faces.long()[face_of]]
    x = ((pixel - row * width).to(clip.dtype) + 0.5) * (2 / width) - 1
    y = ((row - picture * height).to(clip.dtype) + 0.5) * (2 / height) - 1
    return Shares(
        _shares(corners, x, y), _shares(corners, x + 2 / width, y), _shares(corners, x, y + 2 / height)
    )


def _shares(corners: Any, x: Any, y: Any) -> Any:
    w = corners[..., 3]
    seen = torch.stack((corners[..., 0] - x[:, None] * w, corners[..., 1] - y[:, None] * w), -1)
    areas = _cross(seen.roll(-1, 1), seen.roll(-2, 1))
    total = areas.sum(1, keepdim=True)
    return areas / torch.where(total == 0, 1, total)
