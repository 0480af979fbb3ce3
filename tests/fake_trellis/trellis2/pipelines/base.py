"""The base class. Its own loader would hide every cause."""

from __future__ import annotations

from typing import Any


class Pipeline:
    """Holds the models."""

    def __init__(self, models: dict[str, Any] | None = None) -> None:
        if models is not None:
            self.models = models

    @classmethod
    def from_pretrained(cls, path: str, config_file: str) -> Pipeline:
        raise AssertionError(f"{path}/{config_file} was to be loaded leniently")
