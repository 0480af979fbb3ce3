"""How near the worker stays to TRELLIS's own code.

`exact` calls it as it is. `balanced` does the same work in faster ways of our own, each with a test that says
how far its result is from TRELLIS's.
"""

from __future__ import annotations

import os
from enum import StrEnum

from .failures import WorkerError
from .protocol import Kind

VARIABLE = "TRELLIS_WORKER_QUALITY"


class Quality(StrEnum):
    """What the server's environment asks for."""

    EXACT = "exact"
    BALANCED = "balanced"


def asked() -> Quality:
    """`exact` where nothing is said; an unknown name is an error, so that a slip of the pen is seen."""
    value = os.environ.get(VARIABLE, Quality.EXACT)
    try:
        return Quality(value)
    except ValueError as error:
        names = " or ".join(f"`{quality}`" for quality in Quality)
        raise WorkerError(Kind.INTERNAL, f"`{VARIABLE}` is `{value}`, but must be {names}") from error
