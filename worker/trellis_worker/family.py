"""What the worker asks of a model family: a module in `families/` with a `FAMILY` of this form."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Protocol, TypeVar

from .placement import Placement
from .protocol import Format, Params, ProtocolError
from .quality import Quality
from .stages import Stages

Report = Callable[[str, int, int], None]
Save = Callable[[Path], object]
Own = TypeVar("Own")


@dataclass(frozen=True)
class Run:
    """One job, as far as a family sees it."""

    pipeline: Any
    placement: Placement
    stages: Stages
    params: Params
    # The mesh to be textured, where that is the job; see `meshes.py`.
    mesh: Path | None = None


class Family(Protocol):
    """A model family."""

    def load(self, folder: Path, quality: Quality, report: Report) -> Any:
        """The pipeline, its `models` (by name) in main memory. Raises the first error there is."""

    def determinism(self) -> list[str]:
        """The settings of its own that make results repeatable, for the log."""

    def prepare(self, pipeline: Any, picture: Any, remove_background: bool) -> Any:
        """A picture as the pipeline's encoder expects it."""

    def sample(self, run: Run, pictures: list[Any]) -> Any:
        """What the models make of prepared pictures, or with `run.mesh` of that mesh and the pictures. Enters
        the stages from `condition` to `decode`."""

    def latents(self, decoded: Any) -> Save:
        """What writes what sampling made, for `revive`."""

    def revive(self, run: Run, latents: Path) -> Any:
        """What `sample` made once, decoded again; enters the stage `decode`."""

    def exporting(self, run: Run, decoded: Any) -> AbstractContextManager[Callable[[Format], Save]]:
        """While it is open: prepares a format and gives what writes its file; enters the other stages."""

    def non_commercial(self, params: Params) -> list[str]:
        """The libraries that took part in such a job and whose licences allow no commercial use."""

    def notes(self, params: Params, decoded: Any) -> list[str]:
        """What a person should know of the files, or of how they were made."""


def own_params(form: type[Own], params: Params) -> Own:
    """The parameters that are a family's own, as the dataclass `form`."""
    try:
        return form(**{field.name: params.own[field.name] for field in fields(form)})  # type: ignore[arg-type]
    except KeyError as error:
        raise ProtocolError(f"the parameter {error} is missing") from error
