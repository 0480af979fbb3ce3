"""From TRELLIS's results to files: one function a format."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .failures import WorkerError
from .protocol import Format, Kind, Params, Stage
from .stages import Stages

TURNTABLE_FRAMES = 120
TURNTABLE_FPS = 30
# The largest hole that is closed, as `to_glb` has it by default.
HOLE_SIZE = 0.04

# What must be decoded for each format: the texture of a GLB is baked from the splats.
DECODED_FOR = {
    Format.GLB: ("mesh", "gaussian"),
    Format.STL: ("mesh",),
    Format.PLY: ("mesh",),
    Format.GAUSSIAN_PLY: ("gaussian",),
    Format.TURNTABLE: ("gaussian",),
}


def decoded_for(formats: tuple[Format, ...]) -> list[str]:
    """The representations that these formats need, in the order in which TRELLIS decodes them."""
    needed = {name for format_ in formats for name in DECODED_FOR[format_]}
    return [name for name in ("mesh", "gaussian") if name in needed]


@dataclass(frozen=True)
class Exports:
    """The results of one job and how to save them."""

    decoded: dict[str, Any]
    params: Params
    processing: Any
    stages: Stages

    def mesh(self) -> Any:
        """The decoded mesh; an empty one is a failure, not a file."""
        mesh = self.decoded["mesh"][0]
        if not mesh.success:
            raise WorkerError(Kind.NO_OBJECT, "TRELLIS made an empty mesh of this picture")
        return mesh

    def saver(self, format_: Format) -> Callable[[Path], object]:
        """Prepares a format and gives what writes its file."""
        match format_:
            case Format.GLB:
                return self._glb()
            case Format.STL:
                return self._stl()
            case Format.PLY:
                return self._ply()
            case Format.GAUSSIAN_PLY:
                self.stages.enter(Stage.EXPORT)
                return lambda path: self.decoded["gaussian"][0].save_ply(str(path))
            case Format.TURNTABLE:
                return self._turntable()

    def _glb(self) -> Callable[[Path], object]:
        mesh = self.processing.to_glb(
            self.decoded["gaussian"][0],
            self.mesh(),
            simplify=self.params.mesh_simplify,
            texture_size=self.params.texture_size,
            verbose=False,
        )
        self.stages.enter(Stage.EXPORT)
        return lambda path: mesh.export(str(path), file_type="glb")

    def _stl(self) -> Callable[[Path], object]:
        mesh, simplify = self.mesh(), self.params.mesh_simplify
        vertices, faces = self.processing.postprocess_mesh(
            mesh.vertices.cpu().numpy(),
            mesh.faces.cpu().numpy(),
            simplify=simplify > 0,
            simplify_ratio=simplify,
            fill_holes=True,
            fill_holes_max_hole_size=HOLE_SIZE,
            fill_holes_max_hole_nbe=int(250 * (1 - simplify) ** 0.5),
            fill_holes_resolution=1024,
            fill_holes_num_views=1000,
            verbose=False,
        )
        return self._plain(in_millimetres(vertices, self.params.stl_size_mm), faces, None, "stl")

    def _ply(self) -> Callable[[Path], object]:
        mesh = self.mesh()
        colours = None if mesh.vertex_attrs is None else mesh.vertex_attrs[:, :3].detach().cpu().numpy()
        vertices = mesh.vertices.cpu().numpy()
        # TRELLIS works with Z up; a GLB has Y up, as `to_glb` turns it, and the PLY follows.
        turned = vertices[:, [0, 2, 1]]
        turned[:, 2] = -turned[:, 2]
        return self._plain(turned, mesh.faces.cpu().numpy(), colours, "ply")

    def _plain(self, vertices: Any, faces: Any, colours: Any, file_type: str) -> Callable[[Path], object]:
        trimesh = importlib.import_module("trimesh")
        self.stages.enter(Stage.EXPORT)
        if colours is not None:
            colours = (colours.clip(0, 1) * 255).astype("uint8")
        mesh = trimesh.Trimesh(vertices, faces, vertex_colors=colours, process=False)
        return lambda path: mesh.export(str(path), file_type=file_type)

    def _turntable(self) -> Callable[[Path], object]:
        self.stages.enter(Stage.EXPORT)
        imageio = importlib.import_module("imageio")
        # Without it imageio takes another writer, which then fails over the file's ending.
        importlib.import_module("imageio_ffmpeg")
        rendering = importlib.import_module("trellis.utils.render_utils")
        frames = rendering.render_video(
            self.decoded["gaussian"][0], num_frames=TURNTABLE_FRAMES, verbose=False
        )["color"]
        return lambda path: imageio.mimsave(str(path), frames, fps=TURNTABLE_FPS)


def in_millimetres(vertices: Any, size: float) -> Any:
    """The vertices for an STL: Z up as TRELLIS has them, the longest side `size` millimetres."""
    columns = [vertices[:, axis] for axis in range(3)]
    longest = max(float(column.max()) - float(column.min()) for column in columns)
    return vertices * (size / longest) if longest > 0 else vertices


def notes_for(formats: tuple[Format, ...]) -> list[str]:
    """What a person should know of the files."""
    if Format.PLY in formats:
        return ["the PLY holds TRELLIS's full mesh with its vertex colours: `mesh_simplify` does not apply"]
    return []
