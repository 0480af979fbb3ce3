"""The seconds that a run of measurements may take."""

from __future__ import annotations

import time
from collections.abc import Callable

# What times are counted from.
BEGUN = time.monotonic()


class Budget:
    """Says of each piece of work whether there is time left for it."""

    def __init__(self, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._now = seconds, now

    def allows(self, what: str, needed: float) -> bool:
        """Whether there is time for what takes about so many seconds; prints what is left out."""
        passed = self._now() - BEGUN
        if passed + needed <= self._seconds:
            return True
        print(f"left out: {what}: {passed:.0f} s of {self._seconds:.0f} s have passed", flush=True)
        return False
