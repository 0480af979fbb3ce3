"""Where a job is: reports each stage and step, measures times, and stops a cancelled job."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from .failures import Cancelled
from .protocol import Stage, StageTime

Report = Callable[[Stage, int, int], None]


class Stages:
    """The clock of one job. `report` is told of each step, `finish_work` waits for the GPU."""

    def __init__(self, report: Report, cancelled: threading.Event, finish_work: Callable[[], None]) -> None:
        self._report = report
        self._cancelled = cancelled
        self._finish_work = finish_work
        self._ms: dict[Stage, float] = {}
        self._since = time.monotonic()
        self.current: Stage | None = None
        self._step = 0
        self._total = 1

    def enter(self, stage: Stage, total: int = 1) -> None:
        """Begins a stage of `total` steps, or goes on with it."""
        self.check()
        if self.current is not None:
            self._close()
        self.current = stage
        self._since = time.monotonic()
        self._step, self._total = 0, max(total, 1)
        self._report(stage, 0, self._total)

    def step(self, done: int | None = None, total: int | None = None) -> None:
        """One step more of the stage, or `done` of them."""
        self.check()
        if self.current is None:
            return
        self._total = max(total or self._total, 1)
        self._step = min(self._step + 1 if done is None else done, self._total)
        self._report(self.current, self._step, self._total)

    def repeat(self) -> None:
        """Reports once more where it is: nothing went on, and nothing is wrong."""
        if self.current is not None:
            self._report(self.current, self._step, self._total)

    def waited(self, seconds: float) -> None:
        """So much of the time since the stage began is no part of it."""
        self._since += seconds

    def finish(self) -> list[StageTime]:
        """Ends the last stage and gives the times of all, in the order in which stages come."""
        if self.current is not None:
            self._close()
        self.current = None
        return [StageTime(stage, round(self._ms[stage])) for stage in Stage if stage in self._ms]

    def check(self) -> None:
        """Leaves a cancelled job."""
        if self._cancelled.is_set():
            raise Cancelled

    def _close(self) -> None:
        assert self.current is not None
        self._finish_work()
        if self._step < self._total:
            self._report(self.current, self._total, self._total)
        spent = (time.monotonic() - self._since) * 1000
        self._ms[self.current] = self._ms.get(self.current, 0.0) + spent
