"""Listens to TRELLIS's own steps during one job, and leaves no trace of that afterwards.

The pipeline and its samplers are shared by all jobs. The reference itself patches a sampler for several
pictures without `try/finally`, so that one failure would poison every later job: what the objects held
before the job is put back here, whatever happened in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from .placement import DECODERS, USED_BY, Placement
from .protocol import Stage
from .stages import Stages

SAMPLERS = {
    "sample_sparse_structure": ("sparse_structure_sampler", Stage.SPARSE_STRUCTURE),
    "sample_slat": ("slat_sampler", Stage.STRUCTURED_LATENT),
}
# Texture steps come by the thousand; a report for each would only fill the line.
TEXTURE_STEPS_PER_REPORT = 50


@dataclass(frozen=True)
class Sampling:
    """Reports the stages from `condition` to `decode`."""

    pipeline: Any
    placement: Placement
    stages: Stages

    @contextmanager
    def listening(self, steps: dict[Stage, int]) -> Iterator[None]:
        """`steps` are those asked of each sampler."""
        pipeline = self.pipeline
        with ExitStack() as undo:
            undo.enter_context(_restored(pipeline, keep="rembg_session"))
            for sampler, _ in SAMPLERS.values():
                undo.enter_context(_restored(getattr(pipeline, sampler)))
            self._stage("get_cond", Stage.CONDITION, 1)
            for method, (name, stage) in SAMPLERS.items():
                sampler = getattr(pipeline, name)
                sampler.sample_once = self._counted(sampler.sample_once)
                self._stage(method, stage, steps[stage])
            pipeline.decode_slat = self._decoding(pipeline.decode_slat)
            yield

    def _stage(self, method: str, stage: Stage, total: int) -> None:
        original = getattr(self.pipeline, method)

        def run(*args: Any, **options: Any) -> Any:
            self.stages.enter(stage, total)
            with self.placement.resident(USED_BY[method]):
                return original(*args, **options)

        setattr(self.pipeline, method, run)

    def _counted(self, sample_once: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **options: Any) -> Any:
            self.stages.check()
            result = sample_once(*args, **options)
            self.stages.step()
            return result

        return run

    def _decoding(self, decode: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
        def run(slat: Any, formats: list[str]) -> dict[str, Any]:
            self.stages.enter(Stage.DECODE, len(formats))
            decoded: dict[str, Any] = {}
            for name in formats:
                with self.placement.resident((DECODERS[name],)):
                    decoded.update(decode(slat, [name]))
                self.stages.step()
            return decoded

        return run


@contextmanager
def _restored(shared: Any, keep: str = "") -> Iterator[None]:
    """Puts every attribute of an object back, but for the one to keep."""
    before = dict(vars(shared))
    try:
        yield
    finally:
        kept = {name: value for name, value in vars(shared).items() if name == keep}
        vars(shared).clear()
        vars(shared).update(before, **kept)


@contextmanager
def baking(module: Any, stages: Stages) -> Iterator[None]:
    """Reports the stages of `postprocessing_utils.to_glb`, whose halves are functions of its module. A mesh
    that is simplified once stays so for the other formats of the job."""
    names = ("postprocess_mesh", "parametrize_mesh", "tqdm")
    before = {name: getattr(module, name) for name in names}
    simplified: list[Any] = []

    def postprocess_mesh(*args: Any, **options: Any) -> Any:
        if not simplified:
            stages.enter(Stage.SIMPLIFY)
            simplified.append(before["postprocess_mesh"](*args, **options))
        return simplified[0]

    def parametrize_mesh(*args: Any, **options: Any) -> Any:
        # Unwrapping and rendering the views are part of the texture.
        stages.enter(Stage.TEXTURE)
        return before["parametrize_mesh"](*args, **options)

    module.postprocess_mesh = postprocess_mesh
    module.parametrize_mesh = parametrize_mesh
    module.tqdm = _reporting(before["tqdm"], stages)
    try:
        yield
    finally:
        for name, original in before.items():
            setattr(module, name, original)


def _reporting(base: Any, stages: Stages) -> Any:
    """A progress bar that tells `stages` of the optimisation's steps and lets a cancelled job go."""

    class Reporting(base):  # type: ignore[misc]
        seen = 0

        def update(self, n: int = 1) -> Any:
            self.seen += n
            total = int(self.total or 0)
            if total >= TEXTURE_STEPS_PER_REPORT and self.seen % TEXTURE_STEPS_PER_REPORT == 0:
                stages.step(self.seen, total)
            else:
                stages.check()
            return super().update(n)

    return Reporting
