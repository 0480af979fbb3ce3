"""The base class, whose loader hides every cause as TRELLIS's own does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .. import models


class Pipeline:
    """Holds the models."""

    def __init__(self, models: dict[str, Any] | None = None) -> None:
        if models is not None:
            self.models = models

    @staticmethod
    def from_pretrained(path: str) -> Pipeline:
        args = json.loads((Path(path) / "pipeline.json").read_text("utf-8"))["args"]
        loaded = {}
        for name, checkpoint in args["models"].items():
            try:
                loaded[name] = models.from_pretrained(f"{path}/{checkpoint}")
            except:  # noqa: E722 this is the defect that the worker must get around
                loaded[name] = models.from_pretrained(checkpoint)
        pipeline = Pipeline(loaded)
        pipeline._pretrained_args = args  # type: ignore[attr-defined]
        return pipeline

    @property
    def device(self) -> Any:
        return next(iter(self.models.values())).device
