"""Never outlives the server: a signal when it dies, and an end with the whole process group."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

# The server's process, so that a death between its fork and our request for a signal is noticed.
PARENT_VARIABLE = "TRELLIS_WORKER_PARENT"
PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Asks the kernel for SIGKILL when the thread that started us ends."""
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    expected = os.environ.get(PARENT_VARIABLE)
    if expected is not None and os.getppid() != int(expected):
        end_group()


def end_group() -> None:
    """Ends this process at once, with its children where it leads a group of its own."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)
