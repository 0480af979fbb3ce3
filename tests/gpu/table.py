"""The rows of a run of bench_trellis.py, as they come, and the table of docs/performance.md at its end."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

SAMPLING = ("condition", "sparse_structure", "structured_latent", "decode")


@dataclass(frozen=True)
class Row:
    """Medians of TRELLIS's own and of ours, and of how many times each."""

    own: float
    ours: float
    unit: str
    rounds: tuple[int, int]


class Table:
    """Rows of medians, printed as they come."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        print("| what | TRELLIS's own | ours | times faster |\n|---|---:|---:|---:|", flush=True)

    def row(self, what: str, exact: list[float], balanced: list[float], unit: str = "s") -> None:
        rounds = (len(exact), len(balanced))
        self.rows[what] = Row(statistics.median(exact), statistics.median(balanced), unit, rounds)
        print(_line(what, self.rows[what]), flush=True)

    def summary(self) -> list[str]:
        """One line for each row of docs/performance.md that this run has the figures for."""
        lines = ["| what | TRELLIS's own | ours | times faster | times each |", "|---|---:|---:|---:|---:|"]
        of = ", with graphs" if "decode, with graphs" in self.rows else ""
        named = [
            ("load, from the page cache to the GPU", "load"),
            *((stage.replace("_", " "), f"{stage}{of}") for stage in SAMPLING),
            ("condition, sampling and decoding", f"sampling and decoding{of}"),
            ("the same without CUDA graphs", "sampling and decoding"),
            ("a GLB of a torus of 259,200 faces, without drawing its views", "GLB in all"),
        ]
        rows = [(said, self.rows[name]) for said, name in named if name in self.rows]
        both = [self.rows.get(name) for name in (f"sampling and decoding{of}", "GLB in all")]
        if both[0] and both[1]:
            rows.append(("both together: a picture to a GLB", _sum(both[0], both[1])))
        rows += [(name, row) for name, row in self.rows.items() if name.startswith(("a job", "a GLB, and"))]
        for said, begins in (
            ("most memory up to decoding, all models on the GPU", "most memory in "),
            ("most memory up to decoding, low-VRAM mode", "low-VRAM mode, most memory in "),
            ("most memory for the GLB of the torus", "most memory for the GLB"),
        ):
            most = [row for name, row in self.rows.items() if name.startswith(begins)]
            if most:
                own, ours = max(row.own for row in most), max(row.ours for row in most)
                rows.append((said, Row(own, ours, "GiB", most[0].rounds)))
        for said, row in rows:
            lines.append(f"{_line(said, row)} {row.rounds[0]}, {row.rounds[1]} |")
        return lines


def _sum(first: Row, second: Row) -> Row:
    rounds = min(first.rounds[0], second.rounds[0]), min(first.rounds[1], second.rounds[1])
    return Row(first.own + second.own, first.ours + second.ours, first.unit, rounds)


def _line(what: str, row: Row) -> str:
    times = f"{row.own / row.ours:.2f}" if row.unit == "s" and row.ours else ""
    digits = 3 if row.unit == "s" else 2
    return f"| {what} | {row.own:.{digits}f} {row.unit} | {row.ours:.{digits}f} {row.unit} | {times} |"
