"""TRELLIS.2-4B: a sparse structure, then a latent of the shape and one of the texture, decoded to a mesh in a
grid of voxels with colours and materials.

Names, and what is called when: Microsoft's TRELLIS.2, `trellis2/pipelines/trellis2_image_to_3d.py` and
`o_voxel/postprocess.py`.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from .. import cutout, views
from ..checkpoints import checkpoint, load_strictly, local, read_arguments, replaced
from ..deferred import defer, is_imported
from ..failures import WorkerError
from ..family import Report, Run, Save, own_params
from ..hooks import counted, restored, told
from ..plausible import refuse_implausible, refuse_unknown_colours
from ..protocol import Format, Kind, Params, Stage
from ..quality import Quality
from . import trellis2_flows
from . import trellis2_texturing as texturing
from .trellis2_files import Exports
from .trellis2_latents import Sampled
from .trellis2_ovoxel import DualGrid, taking_grids

IMAGE_ENCODER = "image_cond_model"
# The encoder's folder beside the checkpoints: `config.json` and `model.safetensors`.
ENCODER_FOLDER = "dinov3"
# The samplers, each with the beginning of its parameters' names and the stage that its steps belong to.
SAMPLERS = {
    "sparse_structure_sampler": ("ss", Stage.SPARSE_STRUCTURE),
    "shape_slat_sampler": ("shape_slat", Stage.STRUCTURED_LATENT),
    "tex_slat_sampler": ("tex_slat", Stage.TEXTURE_LATENT),
}
CASCADED_FROM = 512
# The side of the sparse structure's grid.
STRUCTURE = 32
# The checkpoints have FlexGEMM's layout: TRELLIS.2's own loader leaves convolutions of another kind random.
CONVOLUTIONS = {"SPARSE_CONV_BACKEND": "flex_gemm"}
TUNING_VARIABLE = "FLEX_GEMM_AUTOTUNE_CACHE_PATH"
# Reads the colours of places out of the voxels.
SAMPLING = "flex_gemm.kernels.triton.grid_sample.indice_weighed_sum_fwd"


@dataclass(frozen=True)
class Own:
    """The parameters that only this model has."""

    resolution: int
    ss_sampling_steps: int
    ss_guidance_strength: float
    ss_guidance_rescale: float
    ss_guidance_interval: list[float]
    ss_rescale_t: float
    shape_slat_sampling_steps: int
    shape_slat_guidance_strength: float
    shape_slat_guidance_rescale: float
    shape_slat_guidance_interval: list[float]
    shape_slat_rescale_t: float
    tex_slat_sampling_steps: int
    tex_slat_guidance_strength: float
    tex_slat_guidance_rescale: float
    tex_slat_guidance_interval: list[float]
    tex_slat_rescale_t: float
    max_num_tokens: int
    multiimage_algo: str
    quality: str
    decimation_target: int
    remesh: bool
    texture_size: int
    texture_format: str

    def of_sampler(self, prefix: str) -> dict[str, Any]:
        """What is asked of one sampler, by the names of its own arguments."""
        names = [field.name for field in fields(self) if field.name.startswith(f"{prefix}_")]
        asked = {name.removeprefix(f"{prefix}_"): getattr(self, name) for name in names}
        return {"steps": asked.pop("sampling_steps"), **asked}


@dataclass(frozen=True)
class Decoded:
    """What the models made of a job's pictures."""

    mesh: Any
    sampled: Sampled
    # Only if a format needs it.
    grid: DualGrid | None


class Trellis2:
    """The family; see `Family`."""

    def load(self, folder: Path, quality: Quality, report: Report) -> Any:
        """TRELLIS.2's own `from_pretrained`, with models loaded once, strictly and from the folder."""
        arguments = read_arguments(folder)
        # o-voxel imports it, whether it draws with it or not.
        defer("nvdiffrast.torch")
        pipelines = importlib.import_module("trellis2.pipelines")
        base = importlib.import_module("trellis2.pipelines.base")
        models = importlib.import_module("trellis2.models")
        features = importlib.import_module("trellis2.modules.image_feature_extractor")
        convolutions: Any = importlib.import_module("trellis2.modules.sparse.conv.config")
        convolutions.FLEX_GEMM_ALGO = algorithm()
        settle_sampling()
        known = pipelines.Trellis2ImageTo3DPipeline.model_names_to_load
        names = [name for name in known if name in arguments["models"]]
        checkpoints = {name: checkpoint(folder, local(arguments["models"][name])) for name in names}
        encoder = _encoder(folder, arguments)
        shape_encoder = texturing.encoder_name(folder, arguments["models"])
        total = len(names) + 1 + (shape_encoder is not None)
        report("trellis2", 0, total)

        def from_pretrained(_path: str, *_config: Any) -> Any:
            loaded = {}
            for step, (name, files) in enumerate(checkpoints.items()):
                report(name, step, total)
                loaded[name] = load_strictly(models, files, arguments["models"][name])
            report(IMAGE_ENCODER, len(names), total)
            pipeline = pipelines.Trellis2ImageTo3DPipeline(loaded)
            pipeline._pretrained_args = {**arguments, IMAGE_ENCODER: encoder}
            return pipeline

        removers = importlib.import_module("trellis2.pipelines.rembg")
        with (
            replaced(base.Pipeline, "from_pretrained", staticmethod(from_pretrained)),
            replaced(removers, arguments["rembg_model"]["name"], _NoRemover),
            _strict_encoder(features),
        ):
            pipeline = pipelines.Trellis2ImageTo3DPipeline.from_pretrained(str(folder))
        if shape_encoder is not None:
            report(texturing.ENCODER, total - 1, total)
            texturing.attach(pipeline, texturing.load_encoder(models, folder, shape_encoder))
        pipeline.models[IMAGE_ENCODER] = pipeline.image_cond_model
        if quality.ours:
            # Compiled while models are loaded, not in the first job.
            for name in ("kernel", "nearest"):
                importlib.import_module(f"trellis_worker.texture.{name}").compiled()
            trellis2_flows.with_our_ways(pipeline)
        return pipeline

    def determinism(self) -> list[str]:
        # Read when TRELLIS.2 is imported, which comes after this.
        os.environ.update(CONVOLUTIONS)
        return [
            *(f"{name}={value}" for name, value in CONVOLUTIONS.items()),
            f"FlexGEMM's algorithm: {algorithm()}",
            f"FlexGEMM's tuning: {_tuning()}",
        ]

    def prepare(self, pipeline: Any, picture: Any, remove_background: bool) -> Any:
        """The picture cropped to its object on black."""
        del pipeline
        return cutout.on_black(picture, remove_background)

    def sample(self, run: Run, pictures: list[Any]) -> Decoded | texturing.Textured:
        """The decoded mesh, with its voxels where a format shows colours; or a given mesh and its voxels."""
        own, pipeline, stages = own_params(Own, run.params), run.pipeline, run.stages
        torch = importlib.import_module("torch")
        if run.mesh is not None:
            with _listening(run, own), torch.no_grad():
                torch.manual_seed(run.params.seed)
                return texturing.textured(run, own, pictures)
        cascaded = own.resolution > CASCADED_FROM
        textured = shows_colours(run.params)
        asked = {name: own.of_sampler(prefix) for name, (prefix, _) in SAMPLERS.items()}
        with _listening(run, own), torch.no_grad():
            torch.manual_seed(run.params.seed)
            stages.enter(Stage.CONDITION, 1 + cascaded)
            coarse = pipeline.get_cond(pictures, CASCADED_FROM)
            stages.step()
            fine = pipeline.get_cond(pictures, 1024) if cascaded else coarse
            stages.enter(Stage.SPARSE_STRUCTURE, own.ss_sampling_steps)
            coords = pipeline.sample_sparse_structure(coarse, STRUCTURE, 1, asked["sparse_structure_sampler"])
            if not len(coords):
                raise WorkerError(
                    Kind.IMPLAUSIBLE_RESULT, "TRELLIS.2 found no occupied voxel in this picture"
                )
            stages.enter(Stage.STRUCTURED_LATENT, own.shape_slat_sampling_steps * (1 + cascaded))
            shape, resolution = _shape(pipeline, own, coords, (coarse, fine), asked["shape_slat_sampler"])
            texture = None
            if textured:
                stages.enter(Stage.TEXTURE_LATENT, own.tex_slat_sampling_steps)
                flow = pipeline.models[f"tex_slat_flow_model_{1024 if cascaded else 512}"]
                texture = pipeline.sample_tex_slat(fine, flow, shape, asked["tex_slat_sampler"])
            sampled = Sampled.of(shape, texture, resolution)
            mesh, grid = _decoded(run, shape, texture, resolution)
            return Decoded(mesh, sampled, grid)

    def latents(self, decoded: Decoded) -> Save:
        return decoded.sampled.saving()

    def revive(self, run: Run, latents: Path) -> Decoded:
        """Decoded as `sample` does it, without gradients."""
        own, device = own_params(Own, run.params), run.placement.device
        sampled = Sampled.read(latents, device, shows_colours(run.params))
        with _listening(run, own), importlib.import_module("torch").no_grad():
            shape, texture = sampled.as_sampled()
            mesh, grid = _decoded(run, shape, texture, sampled.resolution)
            return Decoded(mesh, sampled, grid)

    def non_commercial(self, params: Params) -> list[str]:
        """NVIDIA's rasteriser draws the texture, where TRELLIS.2's own code makes it."""
        drawn = Format.GLB in params.formats and params.texture
        drawn = drawn and not Quality(own_params(Own, params).quality).ours
        return ["nvdiffrast"] if drawn and is_imported("nvdiffrast.torch") else []

    @contextmanager
    def exporting(self, run: Run, decoded: Any) -> Iterator[Callable[[Format], Save]]:
        own = own_params(Own, run.params)
        if isinstance(decoded, texturing.Textured):
            yield texturing.Files(run, decoded, own).prepare
        else:
            resolution = decoded.sampled.resolution
            yield Exports(run, decoded.mesh, decoded.grid, own, resolution).prepare

    def notes(self, params: Params, decoded: Any) -> list[str]:
        own = own_params(Own, params)
        if isinstance(decoded, texturing.Textured):
            return decoded.notes
        notes = []
        resolution = decoded.sampled.resolution
        if resolution != own.resolution:
            notes.append(
                f"made at a resolution of {resolution} in place of {own.resolution}: the object has "
                f"more occupied places than `max_num_tokens` ({own.max_num_tokens}) allows"
            )
        if Format.GLB in params.formats and params.texture:
            notes.append("made again, it may have other triangles: they are reduced by threads that race")
        if Format.VXZ in params.formats:
            notes.append(f"the grid of the `.vxz` file has {resolution} voxels a side")
        if Format.PLY in params.formats:
            notes.append("the PLY holds TRELLIS.2's full mesh: `decimation_target` does not apply")
        return notes


FAMILY = Trellis2()


class _NoRemover:
    """In the place of RMBG-2.0, whose licence forbids commercial use: it is never built."""

    def __init__(self, **_arguments: Any) -> None:
        pass

    def to(self, _device: Any) -> None:
        """There is nothing to move."""


def shows_colours(params: Params) -> bool:
    """Whether a format of the job has colours in it."""
    always = {Format.PLY, Format.TURNTABLE, Format.VXZ}
    return bool(always & set(params.formats)) or (params.texture and Format.GLB in params.formats)


def _encoder(folder: Path, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments of the image encoder with its folder in place of a name on a hub."""
    for name in ("config.json", "model.safetensors"):
        if not (folder / ENCODER_FOLDER / name).is_file():
            raise WorkerError(
                Kind.CHECKPOINT_MISSING,
                f"`{ENCODER_FOLDER}/{name}`, the weights of DINOv3, is not in the model folder",
            )
    named = arguments[IMAGE_ENCODER]
    return {**named, "args": {**named["args"], "model_name": str(folder / ENCODER_FOLDER)}}


@contextmanager
def _strict_encoder(features: Any) -> Iterator[None]:
    """Has DINOv3 say what its checkpoint lacks: transformers only warns, and goes on with random weights."""
    encoder = features.DINOv3ViTModel

    class Strict:
        @staticmethod
        def from_pretrained(folder: str) -> Any:
            model, found = encoder.from_pretrained(folder, output_loading_info=True, local_files_only=True)
            wrong = [*found["missing_keys"], *found["unexpected_keys"], *found.get("mismatched_keys", [])]
            if wrong:
                raise WorkerError(
                    Kind.CHECKPOINT_CORRUPT,
                    f"`{ENCODER_FOLDER}/model.safetensors` does not hold DINOv3's weights: "
                    f"`{wrong[0]}` is missing or too much",
                )
            if not hasattr(model, "layer"):
                # Where TRELLIS.2 looks for the layers; transformers 5 has them one step deeper.
                model.layer = model.model.layer
            return model

    with replaced(features, "DINOv3ViTModel", Strict):
        yield


def algorithm() -> str:
    """How FlexGEMM convolves: TRELLIS.2's way is a kernel of Triton."""
    return "explicit_gemm" if importlib.util.find_spec("triton") is None else "masked_implicit_gemm_splitk"


def settle_sampling() -> None:
    """Gives FlexGEMM one tile for reading colours. It would time twelve for each number of places, which no
    two jobs share, and keep what it found: the record of its tuning would be another after each job."""
    # What is missing is said where it is needed, and another FlexGEMM may have no such kernel.
    with suppress(ImportError, AttributeError):
        kernel = importlib.import_module(SAMPLING).indice_weighed_sum_fwd_kernel
        # A place has six numbers: the narrowest tile of them, and the most places.
        kernel.configs = [min(kernel.configs, key=lambda it: (it.kwargs["BK"], -it.kwargs["BM"]))]


def _tuning() -> str:
    """FlexGEMM picks its tiles by timing them: only with the same record does it add up in the same order."""
    path = os.environ.get(TUNING_VARIABLE)
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest() if path else "not recorded"
    except OSError:
        return "not recorded yet"


def _shape(
    pipeline: Any, own: Own, coords: Any, conds: tuple[Any, Any], asked: dict[str, Any]
) -> tuple[Any, int]:
    """The latent of the shape, and the resolution that it is for."""
    coarse, fine = conds
    first = pipeline.models["shape_slat_flow_model_512"]
    if own.resolution == CASCADED_FROM:
        return pipeline.sample_shape_slat(coarse, first, coords, asked), own.resolution
    latent, resolution = pipeline.sample_shape_slat_cascade(
        coarse,
        fine,
        first,
        pipeline.models["shape_slat_flow_model_1024"],
        CASCADED_FROM,
        own.resolution,
        coords,
        asked,
        own.max_num_tokens,
    )
    return latent, int(resolution)


def _decoded(run: Run, shape: Any, texture: Any, resolution: int) -> tuple[Any, DualGrid | None]:
    """The mesh, with its voxels if there is a texture, and the grid if a format needs it; a step for each
    level of a decoder."""
    pipeline, stages = run.pipeline, run.stages
    names = ["shape_slat_decoder", *(["tex_slat_decoder"] if texture is not None else [])]
    # The last level of a decoder may have no blocks.
    levels = [level for name in names for level in pipeline.models[name].blocks if len(level)]
    stages.enter(Stage.DECODE, len(levels))
    with told(levels, stages):
        with ExitStack() as undo:
            grids: list[DualGrid] = []
            if Format.VXZ in run.params.formats:
                grids = undo.enter_context(taking_grids(pipeline.models["shape_slat_decoder"]))
            meshes, subdivisions = pipeline.decode_shape_slat(shape, resolution)
        refuse_implausible(meshes[0].vertices, meshes[0].faces)
        if texture is None:
            meshes[0].fill_holes()
            return meshes[0], None
        voxels = pipeline.decode_tex_slat(texture, subdivisions)[0]
        refuse_unknown_colours(voxels.feats)
    meshes[0].fill_holes()
    mesh = importlib.import_module("trellis2.representations").MeshWithVoxel(
        meshes[0].vertices,
        meshes[0].faces,
        origin=[-0.5, -0.5, -0.5],
        voxel_size=1 / resolution,
        coords=voxels.coords[:, 1:],
        attrs=voxels.feats,
        voxel_shape=importlib.import_module("torch").Size([*voxels.shape, *voxels.spatial_shape]),
        layout=pipeline.pbr_attr_layout,
    )
    return mesh, grids[0] if grids else None


@contextmanager
def _listening(run: Run, own: Own) -> Iterator[None]:
    """Counts each sampler's steps, has it see all pictures, and puts back what the pipeline held."""
    pipeline, placement = run.pipeline, run.placement
    ours = Quality(own.quality).ours
    if ours:
        trellis2_flows.with_our_ways(pipeline)
    with ExitStack() as undo:
        undo.enter_context(restored(pipeline))
        if placement.low_vram:
            # An exact job would leave the recordings of an earlier one on the GPU.
            trellis2_flows.forget(pipeline)
            placement.choose(True)
            # TRELLIS.2 brings each model to the GPU for its part; one that fails leaves it there.
            undo.callback(placement.choose, True)
        pipeline.low_vram = placement.low_vram
        for name in SAMPLERS:
            sampler = getattr(pipeline, name)
            undo.enter_context(restored(sampler))
            sampler.sample_once = counted(sampler.sample_once, run.stages)
            if ours:
                trellis2_flows.guide_in_pairs(pipeline, name, placement.low_vram)
            sampler._inference_model = views.of_all(sampler._inference_model, own.multiimage_algo)
        yield
