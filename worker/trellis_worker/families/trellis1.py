"""TRELLIS-image-large: a sparse structure, then a structured latent, decoded to a mesh and to splats.

Names, and what is called when: Microsoft's TRELLIS, `trellis/pipelines/trellis_image_to_3d.py` and
`trellis/utils/postprocessing_utils.py`.
"""

from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from .. import caching, latents
from ..checkpoints import checkpoint, load_model, read_arguments, replaced
from ..cores import kept_to_cores
from ..deferred import defer, is_imported
from ..exports import in_millimetres, plain_mesh
from ..failures import OfflineAttempt, WorkerError
from ..family import Report, Run, Save, own_params
from ..hooks import counted, reporting, restored
from ..pictures import squared
from ..placement import Placement
from ..plausible import refuse_implausible
from ..protocol import Format, Kind, Params, Stage
from ..quality import Quality
from ..stages import Stages

# The radiance field decoder serves no format that the server offers; leaving it out saves VRAM.
UNUSED = frozenset({"slat_decoder_rf"})
IMAGE_ENCODER = "image_cond_model"
# The models that each method of the pipeline needs on the GPU.
USED_BY = {
    "get_cond": (IMAGE_ENCODER,),
    "sample_sparse_structure": ("sparse_structure_flow_model", "sparse_structure_decoder"),
    "sample_slat": ("slat_flow_model",),
}
DECODERS = {"mesh": "slat_decoder_mesh", "gaussian": "slat_decoder_gs"}
SAMPLERS = {
    "sample_sparse_structure": ("sparse_structure_sampler", Stage.SPARSE_STRUCTURE),
    "sample_slat": ("slat_sampler", Stage.STRUCTURED_LATENT),
}
# What must be decoded for each format: the texture of a GLB, where it has one, is baked from the splats.
DECODED_FOR = {
    Format.GLB: ("mesh", "gaussian"),
    Format.STL: ("mesh",),
    Format.PLY: ("mesh",),
    Format.GAUSSIAN_PLY: ("gaussian",),
    Format.TURNTABLE: ("gaussian",),
}
# Beside what is decoded.
LATENTS = "latents"
# What of it is kept.
SAMPLED = ("coords", "feats")
TURNTABLE_FRAMES = 120
TURNTABLE_FPS = 30
# The largest hole that is closed, as `to_glb` has it by default.
HOLE_SIZE = 0.04


@dataclass(frozen=True)
class Own:
    """The parameters that only this model has."""

    ss_sampling_steps: int
    ss_guidance_strength: float
    slat_sampling_steps: int
    slat_guidance_strength: float
    multiimage_algo: str
    quality: str
    mesh_simplify: float
    texture_size: int

    @classmethod
    def of(cls, params: Params) -> Own:
        return own_params(cls, params)

    @property
    def steps(self) -> dict[Stage, int]:
        """Those asked of each sampler."""
        return {
            Stage.SPARSE_STRUCTURE: self.ss_sampling_steps,
            Stage.STRUCTURED_LATENT: self.slat_sampling_steps,
        }


class Trellis1:
    """The family; see `Family`."""

    def load(self, folder: Path, quality: Quality, report: Report) -> Any:
        """TRELLIS's own `from_pretrained` around a loop that loads each model once, from the folder."""
        arguments = read_arguments(folder)
        names = [name for name in arguments["models"] if name not in UNUSED]
        checkpoints = {name: checkpoint(folder, arguments["models"][name]) for name in names}
        total = len(names) + 1
        report("trellis", 0, total)
        ignore_notebooks()
        defer("nvdiffrast.torch")
        base = importlib.import_module("trellis.pipelines.base")
        pipelines = importlib.import_module("trellis.pipelines")
        models = importlib.import_module("trellis.models")

        def from_pretrained(_path: str) -> Any:
            loaded = {}
            for step, (name, files) in enumerate(checkpoints.items()):
                report(name, step, total)
                loaded[name] = load_model(models.from_pretrained, files, arguments["models"][name])
            report(IMAGE_ENCODER, len(names), total)
            pipeline = base.Pipeline(loaded)
            pipeline._pretrained_args = arguments
            return pipeline

        with (
            replaced(base.Pipeline, "from_pretrained", staticmethod(from_pretrained)),
            _local_hub(),
            _quickly(
                quality, [files.with_name(f"{files.name}.safetensors") for files in checkpoints.values()]
            ) as check,
        ):
            pipeline = pipelines.TrellisImageTo3DPipeline.from_pretrained(str(folder))
            check(pipeline.models)
        if quality.ours:
            _with_our_ways(pipeline)
        return pipeline

    def determinism(self) -> list[str]:
        return [f"SPCONV_ALGO={os.environ.get('SPCONV_ALGO', '')}"]

    def prepare(self, pipeline: Any, picture: Any, remove_background: bool) -> Any:
        """The picture cropped to its object on black."""
        if not remove_background and picture.mode != "RGBA":
            return squared(picture)
        try:
            return pipeline.preprocess_image(picture)
        except ValueError as error:
            # The reference takes the minimum of an empty array where nothing is left of the picture.
            if "zero-size array" in str(error):
                raise WorkerError(Kind.NO_OBJECT, "no object was found in the picture") from error
            raise

    def sample(self, run: Run, pictures: list[Any]) -> dict[str, Any]:
        """The decoded representations by name."""
        if run.mesh is not None:
            raise WorkerError(Kind.BAD_INPUT, "TRELLIS-image-large cannot texture a mesh")
        own = Own.of(run.params)
        options: dict[str, Any] = {
            "seed": run.params.seed,
            "formats": decoded_for(run.params),
            "preprocess_image": False,
            "sparse_structure_sampler_params": {
                "steps": own.ss_sampling_steps,
                "cfg_strength": own.ss_guidance_strength,
            },
            "slat_sampler_params": {
                "steps": own.slat_sampling_steps,
                "cfg_strength": own.slat_guidance_strength,
            },
        }
        with _listening(run, own):
            if len(pictures) == 1:
                decoded = dict(run.pipeline.run(pictures[0], **options))
            else:
                decoded = dict(run.pipeline.run_multi_image(pictures, mode=own.multiimage_algo, **options))
        for mesh in decoded.get("mesh", []):
            # One that TRELLIS itself calls empty is told so where it is needed.
            if mesh.success:
                refuse_implausible(mesh.vertices, mesh.faces)
        return decoded

    def latents(self, decoded: dict[str, Any]) -> Save:
        """`coords` has four whole numbers for each voxel, the sample (always 0) and its place in the grid;
        `feats` a number for each channel."""
        return latents.saving({name: getattr(decoded[LATENTS], name) for name in SAMPLED})

    def revive(self, run: Run, latents_file: Path) -> dict[str, Any]:
        """Decoded as `run` of the pipeline does it, without gradients."""
        kept = latents.read(latents_file, SAMPLED)
        coords, feats = (kept[name].to(run.placement.device) for name in SAMPLED)
        sparse = importlib.import_module("trellis.modules.sparse")
        with _listening(run, Own.of(run.params)), importlib.import_module("torch").no_grad():
            slat = sparse.SparseTensor(feats=feats, coords=coords)
            return dict(run.pipeline.decode_slat(slat, decoded_for(run.params)))

    @contextmanager
    def exporting(self, run: Run, decoded: dict[str, Any]) -> Iterator[Callable[[Format], Save]]:
        processing = importlib.import_module("trellis.utils.postprocessing_utils")
        with _mending(processing, quality_of(run.params)), _baking(processing, run.stages):
            yield Exports(run, decoded, processing).prepare

    def non_commercial(self, params: Params) -> list[str]:
        """What draws the splats, by the licence of the Gaussian splatting's authors; and NVIDIA's rasteriser,
        where TRELLIS's own code fills holes and bakes."""
        formats = set(params.formats)
        drawn = Format.TURNTABLE in formats or (Format.GLB in formats and params.texture)
        mended = bool(formats & {Format.GLB, Format.STL}) and not quality_of(params).ours
        took_part = (("diff_gaussian_rasterization", drawn), ("nvdiffrast.torch", mended))
        return [name.partition(".")[0] for name, took in took_part if took and is_imported(name)]

    def notes(self, params: Params, decoded: Any) -> list[str]:
        del decoded
        notes = []
        if quality_of(params) is Quality.DRAFT:
            notes.append(f"made as a `draft`: {caching.LOSS}")
        if Format.PLY in params.formats:
            notes.append(
                "the PLY holds TRELLIS's full mesh with its vertex colours: `mesh_simplify` does not apply"
            )
        return notes


FAMILY = Trellis1()


def upright(vertices: Any) -> Any:
    """TRELLIS's vertices, which have Z up, with Y up: as `to_glb` turns them, and the PLY follows."""
    turned = vertices[:, [0, 2, 1]]
    turned[:, 2] = -turned[:, 2]
    return turned


def quality_of(params: Params) -> Quality:
    """What a job asks for."""
    return Quality(Own.of(params).quality)


def ignore_notebooks() -> None:
    """kaolin warns at every import, with a traceback, that its notebook widgets are missing."""
    warnings.filterwarnings("ignore", "Error importing kaolin.visualize.ipython")


def decoded_for(params: Params) -> list[str]:
    """The representations that a job's formats need, in the order in which TRELLIS decodes them."""
    decoded = DECODED_FOR if params.texture else {**DECODED_FOR, Format.GLB: ("mesh",)}
    needed = {name for format_ in params.formats for name in decoded[format_]}
    return [name for name in DECODERS if name in needed]


def _with_our_ways(pipeline: Any) -> None:
    """What stays from job to job, made once."""
    if hasattr(pipeline, "recorded_flow"):
        return
    # Only here, for they import torch.
    graphs = importlib.import_module("trellis_worker.graphs")
    surface = importlib.import_module("trellis_worker.surface")
    decoder = pipeline.models[DECODERS["mesh"]]
    decoder.mesh_extractor = surface.Surface(decoder.mesh_extractor)
    flow = pipeline.models[USED_BY["sample_sparse_structure"][0]]
    pipeline.recorded_flow = graphs.Graphs(flow) if graphs.wanted() else None
    latent_flow = importlib.import_module("trellis_worker.latent_flow")
    flow = pipeline.models[USED_BY["sample_slat"][0]]
    pipeline.latent_flow = latent_flow.LatentFlow(flow, _attention) if latent_flow.fits(flow) else None
    # Compiled while models are loaded, not in the first job.
    importlib.import_module("trellis_worker.texture.kernel").compiled()


def _attention(*args: Any) -> Any:
    """TRELLIS's, of dense tensors, by the library that the environment names."""
    return importlib.import_module("trellis.modules.attention").scaled_dot_product_attention(*args)


@contextmanager
def _quickly(quality: Quality, files: list[Path]) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Loads without random weights where that is asked for; gives what checks that nothing is left empty."""
    if not quality.ours:
        yield lambda _models: None
        return
    # Only here, for it imports torch.
    loading = importlib.import_module("trellis_worker.loading")

    def check(models: dict[str, Any]) -> None:
        for name, model in models.items():
            loading.complete(model, name)

    hub = Path(importlib.import_module("torch.hub").get_dir())
    loading.read_ahead([*files, *(hub / "checkpoints").glob("dinov2*.pth")])
    with loading.without_random_weights():
        yield check


@contextmanager
def _local_hub() -> Iterator[None]:
    """Has `torch.hub.load` take DINOv2's code from the pinned folder: left alone, it asks GitHub for the
    name of the main branch even when the code is there."""
    hub = importlib.import_module("torch.hub")
    original = hub.load

    def load_local(repository: str, model: str, *args: Any, **options: Any) -> Any:
        folder = Path(hub.get_dir()) / f"{repository.partition(':')[0].replace('/', '_')}_main"
        if not (folder / "hubconf.py").is_file():
            raise OfflineAttempt(
                f"https://github.com/{repository}",
                f"its code should be in `TORCH_HOME/hub/{folder.name}`",
            )
        return original(str(folder), model, *args, source="local", **options)

    with replaced(hub, "load", load_local):
        yield


@contextmanager
def _listening(run: Run, own: Own) -> Iterator[None]:
    """Reports the stages from `condition` to `decode`, and has the samplers work as the job asks."""
    pipeline, stages, placement = run.pipeline, run.stages, run.placement
    quality = quality_of(run.params)
    if quality.ours:
        _with_our_ways(pipeline)
    if hasattr(pipeline, "recorded_flow"):
        pipeline.models[DECODERS["mesh"]].mesh_extractor.whole = not quality.ours
        # In low-VRAM mode the weights move, and memory is short.
        if placement.low_vram and pipeline.recorded_flow is not None:
            pipeline.recorded_flow.forget()

    def staged(method: str, stage: Stage, total: int) -> None:
        original = getattr(pipeline, method)

        def call(*args: Any, **options: Any) -> Any:
            stages.enter(stage, total)
            with placement.resident(USED_BY[method]):
                return original(*args, **options)

        setattr(pipeline, method, call)

    decode = pipeline.decode_slat

    def decode_each(slat: Any, formats: list[str]) -> dict[str, Any]:
        stages.enter(Stage.DECODE, len(formats))
        decoded: dict[str, Any] = {LATENTS: slat}
        for name in formats:
            with placement.resident((DECODERS[name],)):
                decoded.update(decode(slat, [name]))
            stages.step()
        return decoded

    with ExitStack() as undo:
        undo.enter_context(restored(pipeline, keep="rembg_session"))
        staged("get_cond", Stage.CONDITION, 1)
        for method, (name, stage) in SAMPLERS.items():
            sampler = getattr(pipeline, name)
            undo.enter_context(restored(sampler))
            sampler.sample_once = counted(sampler.sample_once, stages)
            staged(method, stage, own.steps[stage])
        pipeline.decode_slat = decode_each
        if quality.ours:
            _guide_in_one_batch(pipeline, placement)
        if quality is Quality.DRAFT:
            for name, stage in SAMPLERS.values():
                sampler = getattr(pipeline, name)
                sampler._inference_model = caching.StepCache(sampler._inference_model, own.steps[stage])
        yield


def _guide_in_one_batch(pipeline: Any, placement: Placement) -> None:
    """For one job; the caller puts back what the pipeline and its samplers held."""
    # Only here, for it imports torch.
    guidance = importlib.import_module("trellis_worker.guidance")
    made = {}
    instead = {"sparse_structure_sampler": pipeline.recorded_flow, "slat_sampler": pipeline.latent_flow}
    if placement.low_vram:
        del instead["sparse_structure_sampler"]

    def joined(samples: list[Any]) -> Any:
        return importlib.import_module("trellis.modules.sparse").sparse_cat(samples)

    def remembering(method: str) -> None:
        original, model = getattr(pipeline, method), pipeline.models[USED_BY[method][0]]

        def call(*args: Any, **options: Any) -> Any:
            with guidance.remembering(model):
                try:
                    return original(*args, **options)
                finally:
                    if pipeline.latent_flow is not None:
                        pipeline.latent_flow.forget()

        setattr(pipeline, method, call)

    for method, (name, _) in SAMPLERS.items():
        sampler = getattr(pipeline, name)
        made[name] = sampler._inference_model = guidance.OneBatch(
            sampler._inference_model, joined, instead.get(name)
        )
        remembering(method)
    pipeline.inject_sampler_multi_image = guidance.averaging(pipeline.inject_sampler_multi_image, made)


@contextmanager
def _mending(module: Any, quality: Quality) -> Iterator[None]:
    """Has the halves of `to_glb` that are ours take the place of TRELLIS's, where that is asked for."""
    if not quality.ours:
        yield
        return
    # Only here, for they import torch and numpy.
    holes = importlib.import_module("trellis_worker.texture.holes")
    simplify = importlib.import_module("trellis_worker.texture.simplify")
    unwrap = importlib.import_module("trellis_worker.texture.unwrap")

    def places(count: int) -> list[list[float]]:
        return [module.sphere_hammersley_sequence(index, count) for index in range(count)]

    with (
        replaced(module, "postprocess_mesh", simplify.simplifying(module.postprocess_mesh)),
        replaced(module, "_fill_holes", holes.fill_holes(places)),
        replaced(module, "parametrize_mesh", unwrap.parametrise),
    ):
        yield


@contextmanager
def _baking(module: Any, stages: Stages) -> Iterator[None]:
    """Reports the stages of `to_glb`, whose halves are functions of its module. A mesh that is simplified
    once stays so for the other formats of the job."""
    postprocess, parametrize = module.postprocess_mesh, module.parametrize_mesh
    simplified: list[Any] = []

    def postprocess_mesh(*args: Any, **options: Any) -> Any:
        if not simplified:
            stages.enter(Stage.SIMPLIFY)
            simplified.append(postprocess(*args, **options))
        return simplified[0]

    def parametrize_mesh(*args: Any, **options: Any) -> Any:
        # Unwrapping and rendering the views are part of the texture, which ours has begun before.
        if stages.current is not Stage.TEXTURE:
            stages.enter(Stage.TEXTURE)
        with kept_to_cores():
            return parametrize(*args, **options)

    with (
        replaced(module, "postprocess_mesh", postprocess_mesh),
        replaced(module, "parametrize_mesh", parametrize_mesh),
        replaced(module, "tqdm", reporting(module.tqdm, stages)),
    ):
        yield


@dataclass(frozen=True)
class Exports:
    """The results of one job, and how each format is made of them."""

    run: Run
    decoded: dict[str, Any]
    processing: Any

    def prepare(self, format_: Format) -> Save:
        """Prepares a format and gives what writes its file."""
        match format_:
            case Format.GLB:
                save = self._glb()
            case Format.STL:
                save = self._stl()
            case Format.PLY:
                save = self._ply()
            case Format.GAUSSIAN_PLY:
                return self._splats()
            case Format.TURNTABLE:
                return self._turntable()
        self.run.stages.enter(Stage.EXPORT)
        return save

    def _mesh(self) -> Any:
        """The decoded mesh; an empty one is a failure, not a file."""
        mesh = self.decoded["mesh"][0]
        if not mesh.success:
            raise WorkerError(Kind.NO_OBJECT, "TRELLIS made an empty mesh of this picture")
        return mesh

    def _glb(self) -> Save:
        if not self.run.params.texture:
            vertices, faces = self._simplified()
            return plain_mesh(upright(vertices), faces, None, "glb")
        splats, decoded, own = self.decoded["gaussian"][0], self._mesh(), Own.of(self.run.params)
        if quality_of(self.run.params).ours:
            # Only here, for it imports torch.
            glb = importlib.import_module("trellis_worker.texture.glb")
            trellis = glb.Trellis(self.processing, importlib.import_module("trellis.utils.render_utils"))
            mesh = glb.to_glb(trellis, splats, self._simplified(), own.texture_size, self.run.stages)
        else:
            mesh = self.processing.to_glb(
                splats,
                decoded,
                simplify=own.mesh_simplify,
                texture_size=own.texture_size,
                verbose=False,
            )
        return lambda path: mesh.export(str(path), file_type="glb")

    def _simplified(self) -> tuple[Any, Any]:
        """The mesh as `to_glb` simplifies it and closes its holes."""
        mesh, simplify = self._mesh(), Own.of(self.run.params).mesh_simplify
        simplified: tuple[Any, Any] = self.processing.postprocess_mesh(
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
        return simplified

    def _stl(self) -> Save:
        vertices, faces = self._simplified()
        return plain_mesh(in_millimetres(vertices, self.run.params.stl_size_mm), faces, None, "stl")

    def _ply(self) -> Save:
        mesh = self._mesh()
        colours = None if mesh.vertex_attrs is None else mesh.vertex_attrs[:, :3].detach().cpu().numpy()
        return plain_mesh(upright(mesh.vertices.cpu().numpy()), mesh.faces.cpu().numpy(), colours, "ply")

    def _splats(self) -> Save:
        self.run.stages.enter(Stage.EXPORT)
        decoded = self.decoded["gaussian"][0]
        if quality_of(self.run.params).ours:
            # Only here, for it imports numpy.
            return partial(importlib.import_module("trellis_worker.splats").save, decoded)
        return lambda path: decoded.save_ply(str(path))

    def _turntable(self) -> Save:
        self.run.stages.enter(Stage.EXPORT)
        imageio = importlib.import_module("imageio")
        # Without it imageio takes another writer, which then fails over the file's ending.
        importlib.import_module("imageio_ffmpeg")
        rendering = importlib.import_module("trellis.utils.render_utils")
        frames = rendering.render_video(
            self.decoded["gaussian"][0], num_frames=TURNTABLE_FRAMES, verbose=False
        )["color"]
        return lambda path: imageio.mimsave(str(path), frames, fps=TURNTABLE_FPS)
