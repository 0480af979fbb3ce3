"""The files of TRELLIS.2's results: GLB with materials, STL, PLY, O-Voxel and a turntable.

Names, and what is called when: `o_voxel/postprocess.py` of Microsoft's TRELLIS.2. The textured GLB is its
work where a job asks for `exact`, and that of `texture/pbr.py` otherwise.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..checkpoints import replaced
from ..cores import kept_to_cores
from ..exports import in_millimetres, plain_mesh
from ..facts import is_stand_in
from ..failures import WorkerError
from ..family import Run, Save
from ..protocol import Format, Kind, Stage
from ..quality import Quality
from ..stages import Stages
from ..texture.alpha import alpha_mode
from ..texture.reduce import reduce
from . import trellis2_ovoxel, trellis2_turntable
from .trellis2_ovoxel import DualGrid

# As many faces as nvdiffrast takes.
MOST_FACES = 16_777_216
# What `to_glb` does before it draws a texture: holes, a tree, cleaning, and unwrapping.
STEPS_BEFORE_TEXTURE = 4
STEPS_OF_TEXTURE = 2
# A `texture_format`; the other is PNG.
WEBP = "webp"


@dataclass(frozen=True)
class Exports:
    """The results of one job, and how each format is made of them."""

    run: Run
    mesh: Any
    # Only if a format needs it.
    grid: DualGrid | None
    # The parameters that only this model has.
    own: Any
    # Of the grid.
    resolution: int

    def prepare(self, format_: Format) -> Save:
        """Prepares a format and gives what writes its file."""
        match format_:
            case Format.GLB if self.run.params.texture:
                made = self._textured() if Quality(self.own.quality).ours else self._textured_exactly()
                save = writing(made, self.own.texture_format == WEBP)
            case Format.GLB:
                vertices, faces = self._simplified()
                save = plain_mesh(upright(vertices), faces, None, "glb")
            case Format.STL:
                vertices, faces = self._simplified()
                save = plain_mesh(in_millimetres(vertices, self.run.params.stl_size_mm), faces, None, "stl")
            case Format.PLY:
                save = self._ply()
            case Format.TURNTABLE:
                return self._turntable()
            case Format.VXZ if self.grid is not None:
                save = trellis2_ovoxel.saving(self.grid, self.mesh)
            case _:
                raise WorkerError(Kind.BAD_INPUT, f"TRELLIS.2 does not make `{format_}`")
        self.run.stages.enter(Stage.EXPORT)
        return save

    def _simplified(self) -> tuple[Any, Any]:
        """The mesh with as many faces as were asked for, cleaned as `to_glb` cleans its own."""
        self.run.stages.enter(Stage.SIMPLIFY)
        mesh = self._held()
        if self.own.remesh and Quality(self.own.quality).ours:
            # Only here, for it imports torch.
            importlib.import_module("trellis_worker.texture.pbr").rebuild(mesh, 1 / self.resolution)
            self.run.stages.check()
        reduce(mesh, self.own.decimation_target, self.run.stages)
        return outwards(mesh)

    def _ply(self) -> Save:
        self.run.stages.enter(Stage.TEXTURE)
        mesh = self.mesh
        colours = mesh.query_vertex_attrs()[:, mesh.layout["base_color"]].cpu().numpy()
        vertices, faces = outwards(self._held())
        return plain_mesh(upright(vertices), faces, colours, "ply")

    def _turntable(self) -> Save:
        self.run.stages.enter(Stage.EXPORT, trellis2_turntable.FRAMES)
        imageio = importlib.import_module("imageio")
        # Without it imageio takes another writer, which then fails over the file's ending.
        importlib.import_module("imageio_ffmpeg")
        frames = trellis2_turntable.frames(self.mesh, self.run.placement.device, self.run.stages)
        return lambda path: imageio.mimsave(str(path), frames, fps=trellis2_turntable.FRAMES_PER_SECOND)

    def _held(self) -> Any:
        """The full mesh, as CuMesh holds it."""
        mesh = importlib.import_module("cumesh").CuMesh()
        mesh.init(self.mesh.vertices, self.mesh.faces)
        return mesh

    def _textured(self) -> Any:
        # Only here, for it imports torch.
        pbr = importlib.import_module("trellis_worker.texture.pbr")
        own = self.own
        asked = pbr.Asked(own.decimation_target, own.texture_size, own.remesh, own.texture_format == WEBP)
        return pbr.to_glb(self.mesh, asked, self.run.stages)

    def _textured_exactly(self) -> Any:
        own, mesh = self.own, self.mesh
        postprocess = importlib.import_module("o_voxel.postprocess")
        if len(mesh.faces) > MOST_FACES:
            mesh.simplify(MOST_FACES)
        with kept_to_cores(), replaced(postprocess, "tqdm", ticking(self.run.stages)):
            made = postprocess.to_glb(
                vertices=mesh.vertices,
                faces=mesh.faces,
                attr_volume=mesh.attrs,
                coords=mesh.coords,
                attr_layout=mesh.layout,
                voxel_size=mesh.voxel_size,
                aabb=[[-0.5, -0.5, -0.5], [0.5, 0.5, 0.5]],
                decimation_target=own.decimation_target,
                texture_size=own.texture_size,
                remesh=own.remesh,
                remesh_band=1,
                remesh_project=0,
                use_tqdm=True,
            )
        material = made.visual.material
        material.alphaMode = alpha_mode(material.baseColorTexture.getchannel("A").histogram())
        return made


def writing(made: Any, webp: bool) -> Save:
    """What writes a trimesh as a GLB, with WebP as an extension that viewers must support."""
    options = {"extension_webp": True} if webp else {}
    return lambda path: made.export(str(path), file_type="glb", **options)


def ticking(stages: Stages) -> Callable[..., Any]:
    """In the place of `to_glb`'s progress bar: its six parts as steps of two stages."""

    class Ticks:
        def __init__(self, **_options: Any) -> None:
            self.done = 0
            stages.enter(Stage.SIMPLIFY, STEPS_BEFORE_TEXTURE)

        def update(self, count: int) -> None:
            self.done += count
            stages.step()
            if self.done == STEPS_BEFORE_TEXTURE:
                stages.enter(Stage.TEXTURE, STEPS_OF_TEXTURE)

        def set_description(self, _text: str) -> None:
            stages.check()

        def close(self) -> None:
            pass

    return Ticks


def outwards(mesh: Any) -> tuple[Any, Any]:
    """Vertices and faces of a mesh that CuMesh holds, the faces to be seen from outside.

    TRELLIS.2's decoder knows no sides: of its faces half look inwards, for which a slicer finds no inside.
    """
    mesh.unify_face_orientations()
    vertices, faces = (part.cpu().numpy() for part in mesh.read())
    if is_stand_in():
        return vertices, faces
    numpy = importlib.import_module("numpy")
    first, second, third = (numpy.asarray(vertices, "f8")[column] for column in numpy.asarray(faces).T)
    if (numpy.cross(first, second) * third).sum() < 0:
        faces = faces[:, [0, 2, 1]]
    return vertices, faces


def upright(vertices: Any) -> Any:
    """TRELLIS.2's vertices, which have Z up, with Y up: as `to_glb` turns them."""
    turned = vertices[:, [0, 2, 1]]
    turned[:, 2] = -turned[:, 2]
    return turned
