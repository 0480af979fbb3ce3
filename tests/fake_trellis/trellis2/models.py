"""Models of one weight, loaded as TRELLIS.2's are: what is missing or too much is not said."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import o_voxel  # noqa: F401 for the decoder of the shape
from trellis import script

from .representations import Mesh


class Level:
    """The last block of a decoder's level, which tells whoever listens that it was called."""

    def __init__(self) -> None:
        self.listeners: list[Callable[..., Any]] = []

    def register_forward_hook(self, listener: Callable[..., Any]) -> Any:
        self.listeners.append(listener)
        return SimpleNamespace(remove=lambda: self.listeners.remove(listener))

    def __call__(self) -> None:
        script.act("decode")
        for listener in list(self.listeners):
            listener(self, (), None)


class FlowModel:
    """A model of one weight of `size` numbers, which knows only where it is."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.device = "cpu"
        self.low_vram = False
        # A decoder's last level has no blocks, as in TRELLIS.2-4B.
        self.blocks = [[Level()], [Level()], [Level()], [Level()], []]
        self.listeners: list[Callable[..., Any]] = []

    def eval(self) -> None:
        """Nothing to do."""

    def to(self, device: Any) -> None:
        self.device = str(device)

    def register_forward_pre_hook(self, listener: Callable[..., Any]) -> Any:
        self.listeners.append(listener)
        return SimpleNamespace(remove=lambda: self.listeners.remove(listener))

    def begin(self) -> None:
        """Tells whoever listens that it was called."""
        for listener in list(self.listeners):
            listener(self, ())

    def named_parameters(self) -> list[tuple[str, int]]:
        return [("weight", self.size)]

    def load_state_dict(self, tensors: dict[str, Any], strict: bool = True) -> Any:
        missing, unexpected = {"weight"} - set(tensors), set(tensors) - {"weight"}
        assert not strict or not (missing or unexpected)
        return SimpleNamespace(
            missing_keys=[*sorted(missing), "rope_phases"], unexpected_keys=sorted(unexpected)
        )

    def __call__(self, x: Any) -> Any:
        return x


def flexible_dual_grid_to_mesh(coords: Any, vertices: Any, intersected: Any, corners: Any, faces: Any) -> Any:
    """The mesh that the pipeline has at hand, whatever the voxels are."""
    assert len(coords) == len(vertices) == len(intersected)
    return Mesh(corners, faces)


def from_pretrained(path: str) -> Any:
    raise AssertionError(f"{path} was to be loaded leniently")
