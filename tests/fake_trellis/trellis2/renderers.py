"""Draws nothing, once for each frame."""

from __future__ import annotations

from typing import Any

from trellis import script


class Frame:
    """A picture of one byte, whatever is done to it."""

    def __mul__(self, _factor: float) -> Frame:
        return self

    def same(self, *_arguments: Any) -> Frame:
        return self

    clamp = byte = permute = cpu = same

    def numpy(self) -> bytes:
        return b"."


class VoxelRenderer:
    """Of voxels, with o-voxel."""

    def __init__(self, options: dict[str, Any]) -> None:
        assert options["resolution"] == 512, options

    def render(self, voxels: Any, extrinsics: Any, intrinsics: Any) -> dict[str, Frame]:
        assert len(extrinsics) == 4 and len(intrinsics) == 3
        assert len(voxels.coords) == len(voxels.attrs)
        script.act("export")
        return {"base_color": Frame()}
