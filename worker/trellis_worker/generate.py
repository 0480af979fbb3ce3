"""One job, from pictures to files."""

from __future__ import annotations

import gc
import importlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import artifacts, determinism, facts
from .exports import Exports, decoded_for, notes_for
from .hooks import Sampling, baking
from .pictures import open_picture, prepared
from .placement import Placement
from .protocol import Done, Format, Generate, Message, Params, Progress, Stage
from .stages import Stages

# Files in the order in which they are made: a GLB simplifies the mesh, the others use it.
ORDER = (Format.GLB, Format.STL, Format.PLY, Format.GAUSSIAN_PLY, Format.TURNTABLE)


@dataclass
class Engine:
    """A loaded pipeline with all that a job needs."""

    torch: Any
    pipeline: Any
    placement: Placement
    vram: facts.Vram

    def stages(self, job: str, send: Callable[[Message], None], cancelled: threading.Event) -> Stages:
        """The clock of a job that reports to the supervisor."""

        def report(stage: Stage, step: int, total: int) -> None:
            send(Progress(job, stage, step, total))

        return Stages(report, cancelled, self.vram.synchronize)

    def run(self, request: Generate, send: Callable[[Message], None], stages: Stages) -> Done:
        """Makes the asset; every artifact is sent before this returns."""
        if request.low_vram != self.placement.low_vram:
            self.placement.choose(request.low_vram)
        self.vram.reset_peak()
        try:
            decoded = self.sample(request, stages)
            self._export(request, decoded, send, stages)
            del decoded
            times = stages.finish()
            peak = self.vram.peak()
        finally:
            self.clean()
        notes = notes_for(request.params.formats)
        return Done(request.job, times, peak, self.vram.held(), facts.rss_bytes(), notes)

    def sample(self, request: Generate, stages: Stages) -> dict[str, Any]:
        """The decoded representations."""
        params = request.params
        pictures = request.pictures
        determinism.seed_all(self.torch, params.seed)
        stages.enter(Stage.PREPROCESS, len(pictures))
        images = []
        for picture in pictures:
            images.append(prepared(self.pipeline, open_picture(picture), params.remove_background))
            stages.step()
        steps = {
            Stage.SPARSE_STRUCTURE: params.ss_sampling_steps,
            Stage.STRUCTURED_LATENT: params.slat_sampling_steps,
        }
        with Sampling(self.pipeline, self.placement, stages).listening(steps):
            return self._run(images, params)

    def _run(self, images: list[Any], params: Params) -> dict[str, Any]:
        options: dict[str, Any] = {
            "seed": params.seed,
            "formats": decoded_for(params.formats),
            "preprocess_image": False,
            "sparse_structure_sampler_params": {
                "steps": params.ss_sampling_steps,
                "cfg_strength": params.ss_guidance_strength,
            },
            "slat_sampler_params": {
                "steps": params.slat_sampling_steps,
                "cfg_strength": params.slat_guidance_strength,
            },
        }
        if len(images) == 1:
            return dict(self.pipeline.run(images[0], **options))
        return dict(self.pipeline.run_multi_image(images, mode=params.multiimage_algo, **options))

    def _export(
        self, request: Generate, decoded: dict[str, Any], send: Callable[[Message], None], stages: Stages
    ) -> None:
        # Again, so that the views which the texture bake draws do not depend on what sampling consumed.
        determinism.seed_all(self.torch, request.params.seed)
        processing = importlib.import_module("trellis.utils.postprocessing_utils")
        exports = Exports(decoded, request.params, processing, stages)
        with baking(processing, stages):
            for format_ in ORDER:
                if format_ in request.params.formats:
                    save = exports.saver(format_)
                    send(artifacts.write(request.job, request.out, format_, save))

    def clean(self) -> None:
        """Gives back what the job held."""
        gc.collect()
        self.vram.release()
