"""Listens to a library's own steps during one job, and leaves no trace of that afterwards.

A pipeline and its samplers are shared by all jobs. TRELLIS itself patches a sampler for several pictures
without `try/finally`, so that one failure would poison every later job: what the objects held before the job
is put back here, whatever happened in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from .stages import Stages

# Steps of an optimisation come by the thousand; a report for each would only fill the line.
STEPS_PER_REPORT = 50


@contextmanager
def restored(shared: Any, keep: str = "") -> Iterator[None]:
    """Puts every attribute of an object back, but for the one to keep."""
    before = dict(vars(shared))
    try:
        yield
    finally:
        kept = {name: value for name, value in vars(shared).items() if name == keep}
        vars(shared).clear()
        vars(shared).update(before, **kept)


def counted(step: Callable[..., Any], stages: Stages) -> Callable[..., Any]:
    """A sampler's step that is reported, and that lets a cancelled job go."""

    def run(*args: Any, **options: Any) -> Any:
        stages.check()
        result = step(*args, **options)
        stages.step()
        return result

    return run


@contextmanager
def told(levels: list[Any], stages: Stages) -> Iterator[None]:
    """Tells of each of these levels of blocks, and lets a cancelled job go between two."""
    with ExitStack() as undo:
        for level in levels:
            undo.callback(level[-1].register_forward_hook(lambda *_call: stages.step()).remove)
        yield


def reporting(base: Any, stages: Stages) -> Any:
    """A progress bar that tells `stages` of an optimisation's steps and lets a cancelled job go."""

    class Reporting(base):  # type: ignore[misc]
        seen = 0

        def update(self, n: int = 1) -> Any:
            self.seen += n
            total = int(self.total or 0)
            if total >= STEPS_PER_REPORT and self.seen % STEPS_PER_REPORT == 0:
                stages.step(self.seen, total)
            else:
                stages.check()
            return super().update(n)

    return Reporting
