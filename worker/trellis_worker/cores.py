"""Limits libraries that start a thread for each core of the machine to the cores that this process may use.

xatlas, as TRELLIS and CuMesh use it, counts the machine's cores and has no option for fewer threads. Under a
cgroup's CPU quota, that many threads use up the quota early in each period, and the kernel then stops the
whole group until the next one, the server's own threads included. Threads inherit the affinity of the thread
that starts them, so a narrower affinity keeps them within the quota. The result stays the same.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress

# Set by the supervisor: cores by its affinity and its cgroup's quota.
VARIABLE = "TRELLIS_WORKER_CORES"


def count() -> int:
    """How many cores this process may use, at least one."""
    given = os.environ.get(VARIABLE, "")
    allowed = len(os.sched_getaffinity(0))
    return min(int(given), allowed) if given.isascii() and given.isdecimal() and int(given) else allowed


@contextmanager
def kept_to_cores() -> Iterator[None]:
    """While it is open, this thread and those that it starts run on no more than `count()` cores."""
    before = os.sched_getaffinity(0)
    most = count()
    if most >= len(before):
        yield
        return
    # Neighbouring cores share caches; a random start keeps several workers off the same ones. The job's own
    # random numbers are not used for it.
    cores, first = sorted(before), random.SystemRandom().randrange(len(before))
    chosen = {cores[(first + number) % len(cores)] for number in range(most)}
    # A sandbox may forbid it: then it only costs time.
    with suppress(OSError):
        os.sched_setaffinity(0, chosen)
    try:
        yield
    finally:
        with suppress(OSError):
            os.sched_setaffinity(0, before)
