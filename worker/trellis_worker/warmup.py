"""A small picture through the whole pipeline before the first job.

On a GPU for which a library has only PTX, the driver compiles each kernel when it is first used. That takes
minutes, and here they are seen; and a library without any code for this GPU is found before a job is.
"""

from __future__ import annotations

import importlib
import logging
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .failures import report
from .generate import Engine
from .protocol import Kind, Params, Stage
from .stages import Stages

log = logging.getLogger(__name__)

# What says something about the installation. Anything else is about the picture, which is only a disc.
TELLING = frozenset(Kind) - {Kind.INTERNAL, Kind.BAD_INPUT, Kind.NO_OBJECT, Kind.STORAGE_FULL}


def warm_up(engine: Engine, params: Params, tell: Callable[[str], None]) -> None:
    """Samples and decodes once, telling each step; raises only what says something about the installation."""

    def report_step(stage: Stage, step: int, total: int) -> None:
        tell(f"warm_up: {stage.value} {step}/{total}")

    stages = Stages(report_step, threading.Event(), engine.vram.synchronize)
    with tempfile.TemporaryDirectory(prefix="trellis-warm-up-") as folder:
        picture = Path(folder) / "disc.png"
        _disc().save(picture)
        try:
            engine.sample((picture,), params, stages)
        except Exception as error:
            if report(error, None, "in the warm-up").kind in TELLING:
                raise
            log.warning("the warm-up ended early and says nothing about jobs: %s", error)
        finally:
            engine.clean()


def _disc() -> Any:
    """A grey disc on a transparent ground, so that no background has to be removed."""
    image_module = importlib.import_module("PIL.Image")
    draw_module = importlib.import_module("PIL.ImageDraw")
    image = image_module.new("RGBA", (256, 256), (0, 0, 0, 0))
    draw_module.Draw(image).ellipse((48, 48, 208, 208), fill=(150, 140, 130, 255))
    return image
