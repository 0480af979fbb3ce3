"""Tables of numbers: real tensors where torch is real, a list of rows elsewhere."""

from __future__ import annotations

from typing import Any

import torch

REAL = not hasattr(torch, "STAND_IN")


class Rows:
    """As much of a tensor and an array as the worker uses."""

    def __init__(self, rows: list[list[Any]]) -> None:
        self.rows = rows
        self.shape = (len(rows), len(rows[0]) if rows else 0)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        """For where numpy happens to be installed."""
        import numpy

        return numpy.array(self.rows, dtype)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: tuple[slice, Any]) -> Any:
        _, columns = key
        if isinstance(columns, int):
            return Rows([[row[columns]] for row in self.rows])
        if isinstance(columns, slice):
            return Rows([row[columns] for row in self.rows])
        return Rows([[row[column] for column in columns] for row in self.rows])

    def __setitem__(self, key: tuple[slice, int], values: Rows) -> None:
        for row, value in zip(self.rows, values.rows, strict=True):
            row[key[1]] = value[0]

    def __neg__(self) -> Rows:
        return Rows([[-value for value in row] for row in self.rows])

    def __add__(self, other: Rows) -> Rows:
        pairs = zip(self.rows, other.rows, strict=True)
        return Rows([[a + b for a, b in zip(*rows, strict=True)] for rows in pairs])

    def __mul__(self, factor: float) -> Rows:
        return Rows([[value * factor for value in row] for row in self.rows])

    def min(self) -> Any:
        return min(min(row) for row in self.rows)

    def max(self) -> Any:
        return max(max(row) for row in self.rows)

    def clip(self, low: float, high: float) -> Rows:
        return Rows([[min(max(value, low), high) for value in row] for row in self.rows])

    def astype(self, _type: str) -> Rows:
        return Rows([[int(value) for value in row] for row in self.rows])

    def byte(self) -> Rows:
        return self.astype("uint8")

    int = byte

    def clamp(self, low: float, high: float) -> Rows:
        return self.clip(low, high)

    def round(self) -> Rows:
        return Rows([[round(value) for value in row] for row in self.rows])

    def float(self) -> Rows:
        return self

    def detach(self) -> Rows:
        return self

    def cpu(self) -> Rows:
        return self

    def to(self, _device: Any) -> Rows:
        return self

    def numpy(self) -> Rows:
        return Rows([list(row) for row in self.rows])

    def tolist(self) -> list[list[Any]]:
        return self.rows


def table(rows: list[list[Any]]) -> Any:
    """A table on the GPU where torch is real and has one."""
    if not REAL:
        return Rows(rows)
    return torch.tensor(rows, device="cuda" if torch.cuda.is_available() else "cpu")
