"""Where the models are: all on the GPU, or in low-VRAM mode each only for its stage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Placement:
    """Moves the models of a pipeline between main memory and the GPU."""

    def __init__(self, models: dict[str, Any], device: Any, release: Callable[[], None]) -> None:
        self._models = models
        self.device = device
        self._release = release
        self.low_vram = True

    def choose(self, low_vram: bool) -> None:
        """Brings all models to the GPU, or in low-VRAM mode all of them back; also where not all fit."""
        if not low_vram:
            try:
                for model in self._models.values():
                    model.to(self.device)
            except BaseException:
                self.choose(True)
                raise
            self.low_vram = False
            return
        self.low_vram = True
        for model in self._models.values():
            model.to("cpu")
        self._release()

    @contextmanager
    def resident(self, names: tuple[str, ...]) -> Iterator[None]:
        """Has these models on the GPU; in low-VRAM mode they leave again, whatever happens."""
        if not self.low_vram:
            yield
            return
        try:
            for name in names:
                self._models[name].to(self.device)
            yield
        finally:
            for name in names:
                self._models[name].to("cpu")
            self._release()


def bind_device(pipeline: Any, device: Any) -> None:
    """Fixes `pipeline.device`: TRELLIS takes the device of whatever model comes first, which in low-VRAM
    mode is main memory."""
    base = type(pipeline)
    pipeline.__class__ = type(base.__name__, (base,), {"device": property(lambda _self: device)})
