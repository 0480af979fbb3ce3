"""Where voxels of a sparse grid stand among its rows."""

from __future__ import annotations

import torch

# More than a grid has in a row.
ROW = 1 << 20


class Lookup:
    """Rows by coordinates (N, 3)."""

    def __init__(self, coords: torch.Tensor) -> None:
        self.keys, self.order = self._keys(coords).sort()

    @staticmethod
    def _keys(coords: torch.Tensor) -> torch.Tensor:
        x, y, z = (coords.long() + 1).unbind(-1)
        return (x * ROW + y) * ROW + z

    def rows(self, coords: torch.Tensor) -> torch.Tensor:
        """The row of each, -1 where there is none."""
        keys = self._keys(coords)
        found = torch.searchsorted(self.keys, keys).clamp(max=len(self.keys) - 1)
        return torch.where(self.keys[found] == keys, self.order[found], -1)
