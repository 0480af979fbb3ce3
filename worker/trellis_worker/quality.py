"""How near a job stays to TRELLIS's own code; the server's word for it comes with the job.

`exact` calls it as it is. `balanced` does the same work in faster ways of our own, each with a test that says
how far its result is from TRELLIS's. `draft` leaves out steps besides (`caching.py`).
"""

from __future__ import annotations

from enum import StrEnum


class Quality(StrEnum):
    """What a job may ask for."""

    EXACT = "exact"
    BALANCED = "balanced"
    DRAFT = "draft"

    @property
    def ours(self) -> bool:
        """Whether our ways take the place of TRELLIS's."""
        return self is not Quality.EXACT
