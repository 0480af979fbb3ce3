"""Solves for the texture that explains all views at once.

Each pixel of a view is a blend of four texels, so the texels are the solution of a linear least-squares
problem. Its normal equations couple a texel to its eight neighbours only: they are nine numbers a texel,
whatever the number of views, and conjugate gradients solve them in a dozen cheap steps. What a pixel
really shows is a blend of more than four texels where it covers more (a mipmap, as viewers draw it), and a
few pixels are wrong (splats at a silhouette): so the solution is drawn again as viewers would, and what is
left unexplained is solved for in turn, with less weight for pixels that are far off.

Sums over pixels are made in whole numbers, so their order does not matter: the same views give the same
bytes. TRELLIS's own bake minimises nearly the same error by 2,500 steps, each with one view drawn at random.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .fill import filled
from .observations import Seen

torch: Any = importlib.import_module("torch")

ROUNDS = 3
STEPS = 16
# A pixel weighs by this power of how much its surface faces the camera.
FACING = 2
# Colours from 0 to 1 that are further off weigh less.
FAR_OFF = 0.01
# What smoothness weighs beside all that the pixels say of an average texel, a third of TRELLIS's.
SMOOTHNESS = 0.003
# What is summed is rounded to so small a part.
PARTS = 1 << 24
# A column of whole numbers for so many pixels at once.
AT_ONCE = 1 << 22
# The corners of a cell: right or not, up or not; and the pairs of corners, each with itself too.
CORNERS = ((0, 0), (1, 0), (0, 1), (1, 1))
PAIRS = [(i, j) for i in range(4) for j in range(i, 4)]
# Neighbours that a texel is coupled to beside those on the other side: right, up, up right, up left.
STEPS_TO = ((1, 0), (0, 1), (1, 1), (-1, 1))


def bake(seen: Seen, size: int, tell: Callable[[int, int], None]) -> Any:
    """The texture (size, size, 3) uint8, its first row at the top. `tell` is told of rounds: done, in all."""
    texture = torch.zeros(3, size, size, device=seen.colour.device)
    for done in range(ROUNDS):
        tell(done, ROUNDS)
        equations = Equations.of(seen, texture, first=done == 0)
        if done == 0:
            known = equations.known()
            texture = filled(equations.right_side * known, equations.touched() * known)
            equations = equations.less(texture)
        texture = texture + equations.solved()
    tell(ROUNDS, ROUNDS)
    texture = filled(texture * equations.known(), equations.known().to(texture.dtype))
    return (texture.clamp(0, 1) * 255).byte().flip(1).permute(1, 2, 0).contiguous()


@dataclass(frozen=True)
class Equations:
    """`A · x = b`, where `A` is symmetric and couples neighbours: see `STEPS_TO`."""

    itself: Any  # (S, S)
    coupled: list[Any]  # for each of STEPS_TO (S, S): a texel with its neighbour there
    right_side: Any  # (3, S, S)
    from_pixels: Any  # (S, S), the part of `itself` that pixels gave

    @staticmethod
    def of(seen: Seen, texture: Any, first: bool) -> Equations:
        """What `seen` asks of a change to `texture`; at first each pixel weighs as it faces the camera."""
        size = texture.shape[1]
        sums = torch.zeros(len(PAIRS) + 12, size * size, dtype=torch.int64, device=texture.device)
        pyramid = Pyramid.of(texture)
        with _any_order():
            for part in _parts(seen):
                missing = part.colour.to(texture.dtype) / 255
                weight = part.facing**FACING
                if not first:
                    missing = missing - pyramid.at(part.place, part.footprint)
                    weight = weight * (FAR_OFF / missing.abs().amax(1).clamp(min=FAR_OFF))
                _add(sums, part.place, weight, missing)
        table = (sums.double() / PARTS).to(texture.dtype).view(-1, size, size)
        return _with_smoothness(table, texture)

    def touched(self) -> Any:
        """What pixels' weights add up to for each texel."""
        return _times(torch.zeros_like(self.itself), self.coupled, torch.ones_like(self.itself)) + self.itself

    def known(self) -> Any:
        """Where pixels say more than smoothness does."""
        return self.from_pixels > SMOOTHNESS * self.from_pixels.mean()

    def less(self, texture: Any) -> Equations:
        """What is left to solve where `texture` is there."""
        rest = self.right_side - _times(self.itself, self.coupled, texture)
        return Equations(self.itself, self.coupled, rest, self.from_pixels)

    def solved(self) -> Any:
        """Conjugate gradients, each equation divided by its own coefficient."""
        scale = 1 / self.itself
        change = torch.zeros_like(self.right_side)
        rest = self.right_side
        direction = scale * rest
        length = (rest * direction).sum((1, 2), keepdim=True)
        for _ in range(STEPS):
            ahead = _times(self.itself, self.coupled, direction)
            step = length / (direction * ahead).sum((1, 2), keepdim=True).clamp(min=1e-20)
            change = change + step * direction
            rest = rest - step * ahead
            scaled = scale * rest
            before, length = length, (rest * scaled).sum((1, 2), keepdim=True)
            direction = scaled + (length / before.clamp(min=1e-20)) * direction
        return change


@contextmanager
def _any_order() -> Iterator[None]:
    """Sums of whole numbers do not need torch's slower, sorted ones."""
    before = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(False)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warn_only)


def _parts(seen: Seen) -> Iterator[Seen]:
    for first in range(0, len(seen), AT_ONCE):
        some = slice(first, first + AT_ONCE)
        yield Seen(seen.place[some], seen.footprint[some], seen.facing[some], seen.colour[some])


def _add(sums: Any, place: Any, weight: Any, missing: Any) -> None:
    """Adds to each cell of four texels what its pixels say of pairs of its corners, and of their colour."""
    size = round(sums.shape[1] ** 0.5)
    corner = place.floor().clamp(0, size - 2)
    within = (place - corner).clamp(0, 1)
    cell = (corner[:, 1] * size + corner[:, 0]).long()
    blend = [
        (within[:, 0] if right else 1 - within[:, 0]) * (within[:, 1] if up else 1 - within[:, 1])
        for right, up in CORNERS
    ]
    weighted = [weight * share for share in blend]
    for row, (i, j) in enumerate(PAIRS):
        sums[row].index_add_(0, cell, (weighted[i] * blend[j] * PARTS).round().long())
    for i in range(4):
        for channel in range(3):
            asked = (weighted[i] * missing[:, channel] * PARTS).round().long()
            sums[len(PAIRS) + 3 * i + channel].index_add_(0, cell, asked)


def _with_smoothness(table: Any, texture: Any) -> Equations:
    """From sums over cells to those of texels, and the wish that neighbours be alike."""
    size = table.shape[1]
    itself = torch.zeros_like(table[0])
    right_side = torch.zeros(3, size, size, dtype=table.dtype, device=table.device)
    coupled = [torch.zeros_like(itself) for _ in STEPS_TO]
    for row, (i, j) in enumerate(PAIRS):
        if i == j:
            itself += _moved(table[row], *CORNERS[i])
            continue
        step = (CORNERS[j][0] - CORNERS[i][0], CORNERS[j][1] - CORNERS[i][1])
        coupled[STEPS_TO.index(step)] += _moved(table[row], *CORNERS[i])
    for i in range(4):
        for channel in range(3):
            right_side[channel] += _moved(table[len(PAIRS) + 3 * i + channel], *CORNERS[i])
    from_pixels = itself.clone()
    alike = SMOOTHNESS * from_pixels[from_pixels > 0].mean() if bool((from_pixels > 0).any()) else 1.0
    for index, (right, up) in enumerate(STEPS_TO[:2]):
        here, there = _ends(right, up)
        apart = texture[there] - texture[here]
        weight = alike * FAR_OFF / apart.abs().amax(0).clamp(min=FAR_OFF)
        itself[here[1:]] += weight
        itself[there[1:]] += weight
        coupled[index][here[1:]] -= weight
        right_side[here] += weight * apart
        right_side[there] -= weight * apart
    return Equations(itself, coupled, right_side, from_pixels)


def _moved(values: Any, right: int, up: int) -> Any:
    """A cell's numbers at one of its corners; the cells of the last row and column are empty."""
    return values.roll((up, right), (0, 1))


def _ends(right: int, up: int) -> tuple[Any, Any]:
    """The texels that have a neighbour there, and those neighbours."""
    columns = {0: (slice(None), slice(None)), 1: (slice(None, -1), slice(1, None))}
    columns[-1] = (columns[1][1], columns[1][0])
    (here_x, there_x), (here_y, there_y) = columns[right], columns[up]
    return (slice(None), here_y, here_x), (slice(None), there_y, there_x)


def _times(itself: Any, coupled: list[Any], texture: Any) -> Any:
    """The product of the equations' matrix with a texture, (S, S) or (3, S, S)."""
    result = itself * texture
    for weights, (right, up) in zip(coupled, STEPS_TO, strict=True):
        here, there = _ends(right, up)
        weight = weights[here[1:]]
        here, there = (..., *here[1:]), (..., *there[1:])
        result[here] += weight * texture[there]
        result[there] += weight * texture[here]
    return result


@dataclass(frozen=True)
class Pyramid:
    """A texture with its halvings, as a viewer samples it: between four texels of two sizes."""

    texels: Any  # (N, 3), all sizes one behind the other
    starts: Any  # (L) where each begins
    sizes: Any  # (L)

    @staticmethod
    def of(texture: Any) -> Pyramid:
        """Halves (3, S, S) as often as it goes."""
        levels = [texture]
        while levels[-1].shape[1] % 2 == 0 and levels[-1].shape[1] > 2:  # noqa: PLR2004
            levels.append(torch.nn.functional.avg_pool2d(levels[-1][None], 2)[0])
        sizes = torch.tensor([level.shape[1] for level in levels], device=texture.device)
        texels = torch.cat([level.permute(1, 2, 0).reshape(-1, 3) for level in levels])
        return Pyramid(texels, (sizes**2).cumsum(0) - sizes**2, sizes)

    def at(self, place: Any, footprint: Any) -> Any:
        """Colours (N, 3) at `place` (N, 2) of the largest size, for pixels of `footprint` texels."""
        level = footprint.clamp(min=1).log2().clamp(max=len(self.sizes) - 1)
        finer = level.floor().long()
        coarser = (finer + 1).clamp(max=len(self.sizes) - 1)
        part = (level - finer)[:, None]
        return torch.lerp(self._at(place, finer), self._at(place, coarser), part)

    def _at(self, place: Any, level: Any) -> Any:
        size, start = self.sizes[level], self.starts[level]
        smaller = (size / self.sizes[0])[:, None]
        place = (place + 0.5) * smaller - 0.5
        place = torch.minimum(place.clamp(min=0), (size - 1)[:, None].to(place.dtype))
        corner = torch.minimum(place.floor(), (size - 2)[:, None].to(place.dtype))
        within = place - corner
        index = start + corner[:, 1].long() * size + corner[:, 0].long()
        right = within[:, :1]
        lower = torch.lerp(self.texels[index], self.texels[index + 1], right)
        upper = torch.lerp(self.texels[index + size], self.texels[index + size + 1], right)
        return torch.lerp(lower, upper, within[:, 1:])
