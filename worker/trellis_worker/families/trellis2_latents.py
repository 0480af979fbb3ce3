"""What TRELLIS.2 sampled for a job, as it is kept: the places of a sparse grid, at each the numbers of the
shape and, where a format shows colours, those of the texture; and the resolution that they are for, which may
be a smaller one than was asked for.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import latents
from ..failures import WorkerError
from ..family import Save
from ..protocol import Kind


@dataclass(frozen=True)
class Sampled:
    """Tensors with a row for each place."""

    coords: Any
    shape: Any
    # `None` where no format shows colours.
    texture: Any
    resolution: int

    @classmethod
    def of(cls, shape: Any, texture: Any, resolution: int) -> Sampled:
        """Of the two latents, without what their decoders note beside them."""
        return cls(shape.coords, shape.feats, None if texture is None else texture.feats, resolution)

    @classmethod
    def read(cls, path: Path, device: Any, textured: bool) -> Sampled:
        """What was kept, as far as it is needed, on `device`."""
        kept = latents.read(path, ("coords", "shape", "resolution"))
        if textured and "texture" not in kept:
            raise WorkerError(Kind.BAD_INPUT, "no colours were sampled for the earlier job")
        texture = kept["texture"].to(device) if textured else None
        resolution = int(kept["resolution"].tolist()[0][0])
        return cls(kept["coords"].to(device), kept["shape"].to(device), texture, resolution)

    def saving(self) -> Save:
        """What writes them."""
        tensors = {"coords": self.coords, "shape": self.shape}
        if self.texture is not None:
            tensors["texture"] = self.texture
        tensors["resolution"] = importlib.import_module("torch").tensor([[self.resolution]])
        return latents.saving(tensors)

    def as_sampled(self) -> tuple[Any, Any]:
        """The two latents as TRELLIS.2's samplers give them."""
        sparse = importlib.import_module("trellis2.modules.sparse")
        shape = sparse.SparseTensor(feats=self.shape, coords=self.coords)
        return shape, None if self.texture is None else shape.replace(self.texture)
