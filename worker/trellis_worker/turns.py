"""Whose turn it is on a GPU that several workers share.

One of them samples and decodes at a time, at full speed, while the others simplify, unwrap, bake and write
their jobs' files. The turn is the kernel's lock on a file, so it ends with its process, however that ends.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .stages import Stages

# The file, where other workers have this GPU too.
VARIABLE = "TRELLIS_WORKER_TURNS"
POLL_SECONDS = 0.02
# Often enough for the supervisor, which takes a job for stalled that says nothing.
REPORT_SECONDS = 1.0


@contextmanager
def turn(stages: Stages) -> Iterator[None]:
    """While it is open no other worker samples on this GPU. A cancel ends the wait; no stage counts it."""
    path = os.environ.get(VARIABLE)
    if not path:
        yield
        return
    with Path(path).open("ab") as file:
        began = reported = time.monotonic()
        while not _is_taken(file.fileno()):
            stages.check()
            time.sleep(POLL_SECONDS)
            if time.monotonic() - reported >= REPORT_SECONDS:
                stages.repeat()
                reported = time.monotonic()
        stages.waited(time.monotonic() - began)
        yield


def _is_taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
