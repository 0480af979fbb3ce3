"""Textures a given mesh as a picture shows it, by TRELLIS.2's second pipeline.

The mesh becomes a grid of voxels and a latent of its shape; the texture's flow and decoder, the same as for a
picture alone, then give each voxel colours and materials. The mesh keeps its triangles, size and position.

Names, and what is called when: Microsoft's TRELLIS.2, `trellis2/pipelines/trellis2_texturing.py`.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import meshes
from ..checkpoints import checkpoint, load_strictly, local
from ..cores import kept_to_cores
from ..failures import WorkerError
from ..family import Run, Save
from ..hooks import restored, told
from ..plausible import refuse_unknown_colours
from ..protocol import Format, Kind, Stage
from ..quality import Quality
from ..texture.alpha import alpha_mode
from . import trellis2_voxels
from .trellis2_files import WEBP, writing
from .trellis2_voxels import RESOLUTIONS

# The encoder's part in the pipeline, and its checkpoint where `pipeline.json` names none.
ENCODER = "shape_slat_encoder"
CHECKPOINT = "ckpts/shape_enc_next_dc_f16c32_fp16"
# How the published encoder is built, from TRELLIS.2's `configs/scvae/shape_vae_next_dc_f16c32_fp16.json`. A
# configuration beside the checkpoint takes precedence.
PUBLISHED = {
    "name": "FlexiDualGridVaeEncoder",
    "args": {
        "model_channels": [64, 128, 256, 512, 1024],
        "latent_channels": 32,
        "num_blocks": [0, 4, 8, 16, 4],
        "block_type": ["SparseConvNeXtBlock3d"] * 5,
        "down_block_type": ["SparseResBlockS2C3d"] * 4,
        "block_args": [{}] * 5,
        "use_fp16": True,
    },
}


@dataclass(frozen=True)
class Textured:
    """A given mesh and what the models made of it."""

    given: meshes.GivenMesh
    # As TRELLIS.2 has it: a trimesh within a cube of side 1, Z up, its vertices in the given order.
    placed: Any
    voxels: Any
    resolution: int
    notes: list[str] = field(default_factory=list)


def encoder_name(folder: Path, models: dict[str, str]) -> str | None:
    """The encoder's checkpoint, where the folder has it: pictures alone do not need it."""
    name = local(models.get(ENCODER, CHECKPOINT))
    return name if (folder / f"{name}.safetensors").is_file() else None


def load_encoder(models: Any, folder: Path, name: str) -> Any:
    """The encoder, strictly."""
    if not (folder / f"{name}.json").is_file():
        return load_strictly(models, folder / name, name, PUBLISHED)
    return load_strictly(models, checkpoint(folder, name), name)


def attach(pipeline: Any, encoder: Any) -> None:
    """Gives the pipeline of pictures one for meshes, which shares its models."""
    encoder.eval()
    pipeline.models[ENCODER] = encoder
    texturing = importlib.import_module("trellis2.pipelines").Trellis2TexturingPipeline(pipeline.models)
    for name in (
        "tex_slat_sampler",
        "tex_slat_sampler_params",
        "shape_slat_normalization",
        "tex_slat_normalization",
        "pbr_attr_layout",
    ):
        setattr(texturing, name, getattr(pipeline, name))
    pipeline.texturing = texturing


def textured(run: Run, own: Any, pictures: list[Any]) -> Textured:
    """Samples and decodes. The pipeline's samplers are listened to already."""
    assert run.mesh is not None
    pipeline, stages = run.pipeline, run.stages
    if not hasattr(pipeline, "texturing"):
        raise WorkerError(
            Kind.CHECKPOINT_MISSING,
            f"texturing a mesh needs `{CHECKPOINT}.safetensors`, which is not in the model folder",
        )
    resolution = own.resolution if own.resolution in RESOLUTIONS else RESOLUTIONS[-1]
    given = meshes.without_strays(meshes.read(run.mesh))
    texturing = pipeline.texturing
    with restored(texturing):
        texturing.low_vram, texturing._device = run.placement.low_vram, run.placement.device
        stages.enter(Stage.CONDITION)
        cond = pipeline.get_cond(pictures, resolution)
        placed = texturing.preprocess_mesh(_as_trimesh(given))
        shape = _encoded(run, placed, resolution)
        stages.enter(Stage.TEXTURE_LATENT, own.tex_slat_sampling_steps)
        flow = texturing.models[f"tex_slat_flow_model_{resolution}"]
        latent = texturing.sample_tex_slat(cond, flow, shape, own.of_sampler("tex_slat"))
        levels = [level for level in texturing.models["tex_slat_decoder"].blocks if len(level)]
        stages.enter(Stage.DECODE, len(levels))
        with told(levels, stages):
            voxels = texturing.decode_tex_slat(latent)
        refuse_unknown_colours(voxels.feats)
    return Textured(given, placed, voxels, resolution)


def _encoded(run: Run, placed: Any, resolution: int) -> Any:
    """The latent of the shape: the processor finds the voxels, then the encoder works level by level."""
    stages, texturing = run.stages, run.pipeline.texturing
    encoder = texturing.models[ENCODER]
    levels = [level for level in encoder.blocks if len(level)]
    stages.enter(Stage.SPARSE_STRUCTURE)
    begun = encoder.register_forward_pre_hook(
        lambda *_call: stages.enter(Stage.STRUCTURED_LATENT, len(levels))
    )
    try:
        with trellis2_voxels.bounded(stages.check), told(levels, stages):
            return texturing.encode_shape_slat(placed, resolution)
    finally:
        begun.remove()


@dataclass(frozen=True)
class Files:
    """The results of such a job."""

    run: Run
    made: Textured
    # The parameters that only this model has.
    own: Any

    def prepare(self, format_: Format) -> Save:
        """Prepares the GLB and gives what writes it; the server makes the other formats of it."""
        if format_ is not Format.GLB:
            raise WorkerError(Kind.BAD_INPUT, f"a mesh that was textured cannot be made as `{format_}`")
        made = self._ours() if Quality(self.own.quality).ours else self._exactly()
        self.run.stages.enter(Stage.EXPORT)
        return writing(made, self.own.texture_format == WEBP)

    def _ours(self) -> Any:
        # Only here, for it imports torch.
        repaint = importlib.import_module("trellis_worker.texture.repaint")
        made, device = self.made, self.run.placement.device
        surface = repaint.Surface.of(made.given, made.placed.vertices, device)
        grid = repaint.Grid(made.voxels.coords[:, 1:], made.voxels.feats, made.resolution)
        layout, webp = self.run.pipeline.pbr_attr_layout, self.own.texture_format == WEBP
        # The mesh is neither reduced nor rebuilt.
        asked = repaint.Asked(len(surface.faces), self.own.texture_size, False, webp)
        painted = repaint.painted(surface, grid, layout, asked, self.run.stages)
        made.notes.extend(painted.notes)
        return painted.mesh

    def _exactly(self) -> Any:
        """By TRELLIS.2's own code, which makes a new layout of the texture."""
        self.run.stages.enter(Stage.TEXTURE)
        made, texturing = self.made, self.run.pipeline.texturing
        # CuMesh unwraps by xatlas.
        with kept_to_cores(), restored(texturing):
            texturing._device = self.run.placement.device
            mesh = texturing.postprocess_mesh(
                made.placed, made.voxels, made.resolution, self.own.texture_size
            )
        material = mesh.visual.material
        material.alphaMode = alpha_mode(material.baseColorTexture.getchannel("A").histogram())
        return in_place(mesh, made.given)


def in_place(mesh: Any, given: meshes.GivenMesh) -> Any:
    """A mesh within the cube of side 1 where the given one is, and of its size."""
    low, high = _extent(given.vertices)
    size = max(b - a for a, b in zip(low, high, strict=True))
    mesh.apply_scale(size)
    mesh.apply_translation([(a + b) / 2 for a, b in zip(low, high, strict=True)])
    return mesh


def _extent(vertices: Any) -> tuple[list[float], list[float]]:
    columns = [vertices[:, axis] for axis in range(3)]
    return [float(column.min()) for column in columns], [float(column.max()) for column in columns]


def _as_trimesh(given: meshes.GivenMesh) -> Any:
    trimesh = importlib.import_module("trimesh")
    return trimesh.Trimesh(given.vertices.numpy(), given.faces.numpy(), process=False)
