"""What removes backgrounds: gated, and not for commercial use."""

from __future__ import annotations


class BiRefNet:
    """Must never be built."""

    def __init__(self, model_name: str) -> None:
        raise AssertionError(f"{model_name} was built")
