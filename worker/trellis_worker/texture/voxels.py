"""What a sparse grid of voxels holds at any place within it, between the eight voxels around.

As FlexGEMM's sampling has it: a voxel's numbers are those of its middle, and voxels that are not there are
left out of the average.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

torch: Any = importlib.import_module("torch")

# Places in one go: what bounds the memory, some 100 bytes for each.
AT_ONCE = 1 << 22


@dataclass(frozen=True)
class Voxels:
    """Numbers of voxels, to be looked up."""

    keys: Any  # (N) int64, rising
    numbers: Any  # (N, C) float32, in the order of the keys
    origin: Any  # (3) of the grid
    size: float  # of a voxel
    side: int  # one more than the highest coordinate, and one of room

    @staticmethod
    def of(coords: Any, numbers: Any, origin: Any, size: float) -> Voxels:
        """From coordinates (N, 3), whole and not negative, and numbers (N, C) of theirs."""
        side = int(coords.max()) + 2 if len(coords) else 1
        keys, order = _keys(coords.long(), side).sort()
        return Voxels(keys, numbers.float()[order], origin, size, side)

    def at(self, places: Any) -> tuple[Any, Any]:
        """Numbers (P, C) at places (P, 3), and how much of the voxels around is there: (P), 0 to 1."""
        parts = [self._at(some) for some in places.split(AT_ONCE)]
        return torch.cat([numbers for numbers, _ in parts]), torch.cat([weight for _, weight in parts])

    def _at(self, places: Any) -> tuple[Any, Any]:
        within = (places - self.origin) / self.size - 0.5
        corner = within.floor()
        within = within - corner
        corner = corner.long()
        numbers = torch.zeros(len(places), self.numbers.shape[1], device=places.device)
        weights = torch.zeros(len(places), device=places.device)
        for index in range(8):
            step = corner.new_tensor([index >> 2 & 1, index >> 1 & 1, index & 1])
            cell = corner + step
            key = _keys(cell, self.side)
            row = torch.searchsorted(self.keys, key).clamp(max=len(self.keys) - 1)
            there = (self.keys[row] == key) & (cell >= 0).all(1) & (cell < self.side).all(1)
            weight = torch.where(step.bool(), within, 1 - within).prod(1) * there
            numbers += weight[:, None] * self.numbers[row]
            weights += weight
        return numbers / weights.clamp(min=1e-12)[:, None], weights


def _keys(coords: Any, side: int) -> Any:
    return (coords[:, 0] * side + coords[:, 1]) * side + coords[:, 2]
