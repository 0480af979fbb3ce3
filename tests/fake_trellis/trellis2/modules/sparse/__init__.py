"""As much of a sparse tensor as is kept of a job: numbers at places."""

from __future__ import annotations

from typing import Any


class SparseTensor:
    """`feats` at `coords`."""

    def __init__(self, feats: Any, coords: Any) -> None:
        self.feats = feats
        self.coords = coords

    def replace(self, feats: Any) -> SparseTensor:
        """Other numbers at the same places."""
        return SparseTensor(feats, self.coords)
