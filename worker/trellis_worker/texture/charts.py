"""Cuts a mesh into charts that are flat enough to be looked at from one side each.

Each face takes the nearest of some directions, its neighbours' where that makes borders shorter, and faces
that hang together and have the same direction are a chart, laid out as seen from one side: no equation is
solved, and all faces are worked on at once. Small charts join a neighbour where no face turns away from that
one's direction too far.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

torch: Any = importlib.import_module("torch")

# Rounds in which faces take their neighbours' direction, and how much a neighbour weighs.
ROUNDS, ALIKE = 10, 0.25
# Rounds in which a face's normal is averaged with its neighbours', for the choice of a direction alone.
SMOOTH = 2
# The cosine of the angle by which a face may be turned away from its chart's direction.
STEEPEST = 0.34
# A chart of a smaller part of the average area joins another, where it can; and how often this is tried.
SMALL, JOINS = 0.5, 6
# A chart is tilted, by so much at a time and so often, until no face's cosine with its direction is less.
TILT, TILTS, SLANTED = 0.2, 10, 0.15
# Angles at which a chart is tried to lie, within a quarter turn.
TURNS = 12
# A chart that fills less of its box is cut in two, where the box has more than such a part of all boxes.
LOOSE, LARGE, CUTS = 0.5, 0.02, 4


@dataclass(frozen=True)
class Mesh:
    """Faces with their normals and neighbours."""

    vertices: Any  # (V, 3) float32
    faces: Any  # (F, 3) int64
    normals: Any  # (F, 3), of length 1, or 0 for a face without an area
    areas: Any  # (F)
    pairs: Any  # (E, 2) faces that share an edge with no third
    lengths: Any  # (E) of these edges

    @staticmethod
    def of(vertices: Any, faces: Any) -> Mesh:
        """Finds the neighbours."""
        vertices, faces = vertices.float(), faces.long()
        corners = vertices[faces]
        normals = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        doubled = normals.norm(dim=1)
        normals = normals / torch.where(doubled > 0, doubled, 1)[:, None]
        ends = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
        low, high = ends.amin(1), ends.amax(1)
        key, order = (low * len(vertices) + high).sort(stable=True)
        same = key[1:] == key[:-1]
        no = same.new_zeros(1)
        alone = same & ~torch.cat([no, same[:-1]]) & ~torch.cat([same[1:], no])
        first = alone.nonzero()[:, 0]
        pairs = torch.stack((order[first], order[first + 1]), 1) % len(faces)
        lengths = (vertices[low[order[first]]] - vertices[high[order[first]]]).norm(dim=1)
        return Mesh(vertices, faces, normals, doubled / 2, pairs, lengths)


@dataclass(frozen=True)
class Charts:
    """Charts, laid out each by itself."""

    of_face: Any  # (F) int64
    flat: Any  # (F, 3, 2) where corners lie, each chart's least at 0
    extent: Any  # (C, 2)

    @property
    def count(self) -> int:
        return len(self.extent)

    def areas(self) -> Any:
        """Of faces as they lie: (F), negative where one lies on its back."""
        along, across = self.flat[:, 1] - self.flat[:, 0], self.flat[:, 2] - self.flat[:, 0]
        return (along[:, 0] * across[:, 1] - along[:, 1] * across[:, 0]) / 2


def cut(mesh: Mesh) -> Any:
    """Which chart each face is in: (F) int64."""
    directions = _directions(mesh.vertices.device)
    label = _labels(mesh, directions)
    for _ in range(JOINS):
        chart, count = components(mesh, label)
        joined = _joined(mesh, directions, label, chart, count)
        if torch.equal(joined, label):
            break
        label = joined
    chart, count = components(mesh, label)
    for _ in range(CUTS):
        charts = laid_out(mesh, chart, count)
        box = charts.extent.prod(1)
        loose = (_sums(charts.areas(), chart, count) < LOOSE * box) & (box > LARGE * box.sum())
        if not bool(loose.any()):
            break
        chart, count = halved(mesh, chart, count, loose)
    return chart


def laid_out(mesh: Mesh, chart: Any, count: int) -> Charts:
    """Each chart as seen from where all of its faces show, turned so that its box is small."""
    direction = _seen_from(mesh, chart, count)
    least = direction.abs().argmin(1, keepdim=True)
    other = torch.zeros_like(direction).scatter_(1, least, 1)
    right = torch.nn.functional.normalize(torch.linalg.cross(other, direction), dim=1)
    up = torch.linalg.cross(direction, right)
    corners = mesh.vertices[mesh.faces]
    flat = torch.stack([(corners * axis[chart][:, None]).sum(-1) for axis in (right, up)], -1)
    best, chosen = None, torch.zeros(count, device=flat.device)
    for turn in range(TURNS):
        angle = torch.full((count,), turn * torch.pi / 2 / TURNS, device=flat.device)
        low, high = _box(_turned(flat, angle[chart]), chart, count)
        area = (high - low).prod(1)
        # Only where it is worth it, so that rounding does not choose.
        better = area < best * 0.999 if best is not None else area >= 0
        chosen = torch.where(better, angle, chosen)
        best = torch.where(better, area, best) if best is not None else area
    flat = _turned(flat, chosen[chart])
    low, high = _box(flat, chart, count)
    extent = high - low
    # Upright ones leave less room above them.
    lying = (extent[:, 0] > extent[:, 1])[chart]
    flat = flat - low[chart][:, None]
    turned = torch.stack((extent[chart][:, None, 1] - flat[..., 1], flat[..., 0]), -1)
    flat = torch.where(lying[:, None, None], turned, flat)
    return Charts(chart, flat, torch.stack((extent.amin(1), extent.amax(1)), 1))


def _seen_from(mesh: Mesh, chart: Any, count: int) -> Any:
    """The mean of each chart's normals (C, 3), turned towards faces that would be seen from behind."""
    direction = torch.nn.functional.normalize(_sums(mesh.normals * mesh.areas[:, None], chart, count), dim=1)
    for _ in range(TILTS):
        behind = ((mesh.normals * direction[chart]).sum(1) < SLANTED) & (mesh.areas > 0)
        if not bool(behind.any()):
            break
        towards = _sums(mesh.normals * behind[:, None], chart, count)
        towards = torch.nn.functional.normalize(towards, dim=1)
        direction = torch.nn.functional.normalize(direction + TILT * towards, dim=1)
    return direction


def halved(mesh: Mesh, chart: Any, count: int, which: Any) -> tuple[Any, int]:
    """Charts with those that `which` (C) names cut through the middle of their longest side in space."""
    corners = mesh.vertices[mesh.faces]
    low, high = (
        torch.stack(sides, 1)
        for sides in zip(*(_ends(corners[..., k], chart, count) for k in range(3)), strict=True)
    )
    longest = (high - low).argmax(1)
    middle = ((low + high) / 2).gather(1, longest[:, None])[:, 0]
    beyond = corners.mean(1).gather(1, longest[chart][:, None])[:, 0] > middle[chart]
    return components(mesh, 2 * chart + (beyond & which[chart]))


def components(mesh: Mesh, label: Any) -> tuple[Any, int]:
    """Faces that hang together and have the same label: which group each is in, numbered by first faces."""
    pairs = mesh.pairs[label[mesh.pairs[:, 0]] == label[mesh.pairs[:, 1]]]
    first = torch.arange(len(label), device=label.device)
    while True:
        ends = first[pairs]
        before = first
        first = first.scatter_reduce(0, ends.amax(1), ends.amin(1), "amin")
        while not torch.equal(jumped := first[first], first):
            first = jumped
        if torch.equal(first, before):
            break
    groups, index = first.unique(return_inverse=True)
    return index, len(groups)


def _directions(device: Any) -> Any:
    """To the sides and corners of a cube: (14, 3)."""
    line = torch.tensor([-1.0, 0.0, 1.0])
    grid = torch.stack(torch.meshgrid(line, line, line, indexing="ij"), -1).reshape(-1, 3)
    grid = grid[(grid != 0).sum(1) % 2 == 1]
    return torch.nn.functional.normalize(grid, dim=1).to(device)


def _labels(mesh: Mesh, directions: Any) -> Any:
    normals = mesh.normals
    first, second = mesh.pairs.T
    for _ in range(SMOOTH):
        weighted = normals * mesh.areas[:, None]
        summed = weighted.index_add(0, first, weighted[second]).index_add(0, second, weighted[first])
        normals = torch.nn.functional.normalize(summed, dim=1)
    likes = normals @ directions.T
    allowed = _allowed(mesh, directions)
    label = torch.where(allowed, likes, -2).argmax(1)
    # The edges of a face are weighed by what they are of its three.
    around = torch.zeros_like(mesh.areas).index_add(0, first, mesh.lengths).index_add(0, second, mesh.lengths)
    from_first, from_second = mesh.lengths / around[first], mesh.lengths / around[second]
    for round_ in range(ROUNDS):
        near = torch.zeros_like(likes).view(-1)
        near.index_add_(0, first * len(directions) + label[second], from_first)
        near.index_add_(0, second * len(directions) + label[first], from_second)
        wanted = likes + 3 * ALIKE * near.view(likes.shape)
        chosen = torch.where(allowed, wanted, -2).argmax(1)
        # Half of the faces at a time, or neighbours would change places for ever.
        turn = (torch.arange(len(label), device=label.device) * 2654435761 >> 7 & 1) == round_ % 2
        label = torch.where(turn, chosen, label)
    return label


def _allowed(mesh: Mesh, directions: Any) -> Any:
    """Which directions each face may take (F, D): at least the nearest."""
    cosine = mesh.normals @ directions.T
    flat = mesh.areas <= 0
    return (cosine > STEEPEST) | flat[:, None]


def _joined(mesh: Mesh, directions: Any, label: Any, chart: Any, count: int) -> Any:
    """Labels with those of small charts changed to a neighbour's."""
    area = _sums(mesh.areas, chart, count)
    small = area < SMALL * area.mean()
    allowed = torch.ones(count, len(directions), dtype=torch.int64, device=label.device)
    allowed.scatter_reduce_(
        0, chart[:, None].expand(-1, len(directions)), _allowed(mesh, directions).long(), "amin"
    )
    ends = chart[mesh.pairs]
    ends = torch.cat([ends, ends.flip(1)])
    lengths = torch.cat([mesh.lengths, mesh.lengths])
    # Only into what is larger, of two as large into the first: so two never change places.
    own, other = ends.T
    larger = (area[other] > area[own]) | ((area[other] == area[own]) & (other < own))
    useful = (own != other) & small[own] & larger
    own, other, lengths = own[useful], other[useful], lengths[useful]
    of_chart = torch.full((count,), -1, dtype=torch.int64, device=label.device)
    of_chart[chart] = label
    border = torch.zeros(count * len(directions), device=label.device)
    border.index_add_(0, own * len(directions) + of_chart[other], lengths)
    border = torch.where(allowed.bool(), border.view(count, -1), 0)
    longest, chosen = border.max(1)
    return torch.where(longest > 0, chosen, of_chart)[chart]


def _sums(values: Any, index: Any, count: int) -> Any:
    return torch.zeros(count, *values.shape[1:], device=values.device).index_add_(0, index, values)


def _ends(values: Any, chart: Any, count: int) -> tuple[Any, Any]:
    """The least and the greatest of each chart's corners' values (F, 3): (C)."""
    low = torch.full((count,), torch.inf, device=values.device)
    high = torch.full((count,), -torch.inf, device=values.device)
    low.scatter_reduce_(0, chart, values.amin(1), "amin")
    high.scatter_reduce_(0, chart, values.amax(1), "amax")
    return low, high


def _box(flat: Any, chart: Any, count: int) -> tuple[Any, Any]:
    ends = [_ends(flat[..., axis], chart, count) for axis in range(2)]
    return torch.stack([low for low, _ in ends], 1), torch.stack([high for _, high in ends], 1)


def _turned(flat: Any, angle: Any) -> Any:
    cos, sin = angle.cos()[:, None], angle.sin()[:, None]
    return torch.stack((flat[..., 0] * cos - flat[..., 1] * sin, flat[..., 0] * sin + flat[..., 1] * cos), -1)
