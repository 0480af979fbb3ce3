"""One job, from pictures to files, the same for every model family."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from . import artifacts, determinism, facts, latents
from .family import Family, Run
from .pictures import open_picture
from .placement import Placement
from .protocol import Done, Format, Generate, Latents, Message, Params, Progress, Stage
from .stages import Stages
from .turns import turn

# Files in the order in which they are made: a GLB simplifies the mesh, the others use it.
ORDER = (Format.GLB, Format.STL, Format.PLY, Format.GAUSSIAN_PLY, Format.TURNTABLE, Format.VXZ)


@dataclass
class Engine:
    """A loaded pipeline with all that a job needs."""

    torch: Any
    family: Family
    pipeline: Any
    placement: Placement
    vram: facts.Vram

    def stages(self, job: str, send: Callable[[Message], None], cancelled: threading.Event) -> Stages:
        """The clock of a job that reports to the supervisor."""

        def report(stage: Stage, step: int, total: int) -> None:
            send(Progress(job, stage, step, total))

        return Stages(report, cancelled, self.vram.synchronize)

    def run(self, request: Generate, send: Callable[[Message], None], stages: Stages) -> Done:
        """Makes the asset; every artifact is sent before this returns. If it raises, the caller cleans up."""
        if request.low_vram != self.placement.low_vram:
            self.placement.choose(request.low_vram)
        self.vram.reset_peak()
        if request.latents is None:
            decoded = self.sample(request.pictures, request.params, stages, request.mesh)
        else:
            decoded = self.revive(request.latents, request.params, stages)
        # A mesh that was textured is needed again to decode them, and is not among them.
        if request.keep_latents and request.mesh is None:
            size = artifacts.whole(request.out, latents.NAME, self.family.latents(decoded))
            send(Latents(request.job, latents.NAME, size))
        self._export(request, decoded, send, stages)
        notes = self.family.notes(request.params, decoded)
        del decoded
        times = stages.finish()
        peak = self.vram.peak()
        self.clean()
        restricted = self.family.non_commercial(request.params)
        return Done(request.job, times, peak, self.vram.held(), facts.rss_bytes(), notes, restricted)

    def sample(
        self, pictures: tuple[Path, ...], params: Params, stages: Stages, mesh: Path | None = None
    ) -> Any:
        """What the models make of the pictures."""
        determinism.seed_all(self.torch, params.seed)
        stages.enter(Stage.PREPROCESS, len(pictures))
        prepared = []
        for picture in pictures:
            opened = open_picture(picture)
            prepared.append(self.family.prepare(self.pipeline, opened, params.remove_background))
            stages.step()
        with turn(stages):
            return self.family.sample(replace(self._run(params, stages), mesh=mesh), prepared)

    def revive(self, latents_file: Path, params: Params, stages: Stages) -> Any:
        """What was sampled once, decoded again."""
        stages.enter(Stage.DECODE)
        with turn(stages):
            return self.family.revive(self._run(params, stages), latents_file)

    def _export(
        self, request: Generate, decoded: Any, send: Callable[[Message], None], stages: Stages
    ) -> None:
        # Again, so that the views which the texture bake draws do not depend on what sampling consumed.
        determinism.seed_all(self.torch, request.params.seed)
        with self.family.exporting(self._run(request.params, stages), decoded) as prepare:
            for format_ in ORDER:
                if format_ in request.params.formats:
                    send(artifacts.write(request.job, request.out, format_, prepare(format_)))

    def _run(self, params: Params, stages: Stages) -> Run:
        return Run(self.pipeline, self.placement, stages, params)

    def clean(self) -> None:
        """Gives back what the job held."""
        gc.collect()
        self.vram.release()
