"""The alpha mode of a material; TRELLIS.2 itself always writes `OPAQUE`."""

from __future__ import annotations

from collections.abc import Sequence


def alpha_mode(counts: Sequence[int]) -> str:
    """glTF's `alphaMode`; `counts` has the number of texels for each alpha from 0 to 255."""
    total = sum(counts)
    hidden, translucent = sum(counts[:128]), sum(counts[16:216])
    # Seams leave a few hidden texels, and the decoder's noise a few translucent ones.
    if not total or (hidden * 1000 < total and translucent * 100 < total):
        return "OPAQUE"
    # The edge of a hole has a few values between opaque and hidden.
    between = sum(counts[16:240])
    return "BLEND" if between * 10 > total - sum(counts[240:]) else "MASK"
