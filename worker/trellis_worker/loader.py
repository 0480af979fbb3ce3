"""Loads TRELLIS's pipeline from a local folder, and tells the truth when that fails.

TRELLIS's `Pipeline.from_pretrained` wraps each model's load in a bare `except:` that tries again with the
checkpoint's name as a hub repository, so that any cause ends as "Repository Not Found". Its loop is replaced
here by one that loads each model once from the folder; everything around it stays TRELLIS's own code.
"""

from __future__ import annotations

import importlib
import json
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from .failures import OfflineAttempt, WorkerError, kind_of
from .protocol import Kind

Report = Callable[[str, int, int], None]

# The radiance field decoder serves no format that the server offers; leaving it out saves VRAM.
UNUSED = frozenset({"slat_decoder_rf"})
IMAGE_ENCODER = "image_cond_model"
DINOV2 = "facebookresearch/dinov2"


def load(folder: Path, report: Report) -> Any:
    """The pipeline, its models in main memory. Raises the first error there is."""
    arguments = read_arguments(folder)
    names = [name for name in arguments["models"] if name not in UNUSED]
    checkpoints = {name: checkpoint(folder, arguments["models"][name]) for name in names}
    total = len(names) + 1
    report("trellis", 0, total)
    ignore_notebooks()
    base = importlib.import_module("trellis.pipelines.base")
    pipelines = importlib.import_module("trellis.pipelines")

    def from_pretrained(_path: str) -> Any:
        models = {}
        for step, (name, files) in enumerate(checkpoints.items()):
            report(name, step, total)
            models[name] = _model(files, arguments["models"][name])
        report(IMAGE_ENCODER, len(names), total)
        pipeline = base.Pipeline(models)
        pipeline._pretrained_args = arguments
        return pipeline

    with _replaced(base.Pipeline, "from_pretrained", staticmethod(from_pretrained)), _local_hub():
        return pipelines.TrellisImageTo3DPipeline.from_pretrained(str(folder))


def ignore_notebooks() -> None:
    """kaolin warns at every import, with a traceback, that its notebook widgets are missing."""
    warnings.filterwarnings("ignore", "Error importing kaolin.visualize.ipython")


def read_arguments(folder: Path) -> dict[str, Any]:
    """`args` of `pipeline.json`, its shape checked as far as it is used here."""
    try:
        text = (folder / "pipeline.json").read_text("utf-8")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise WorkerError(
            Kind.CHECKPOINT_MISSING, "there is no `pipeline.json` in the model folder"
        ) from error
    except UnicodeDecodeError as error:
        raise WorkerError(Kind.CHECKPOINT_CORRUPT, "`pipeline.json` is not text") from error
    try:
        arguments = json.loads(text)["args"]
        models = arguments["models"]
        if not all(isinstance(value, str) for value in models.values()):
            raise TypeError("a checkpoint's name is not a text")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise WorkerError(
            Kind.CHECKPOINT_CORRUPT, "`pipeline.json` does not have the form that TRELLIS writes"
        ) from error
    return dict(arguments)


def checkpoint(folder: Path, name: str) -> Path:
    """The path of a checkpoint without its endings; both of its files are there."""
    parts = PurePosixPath(name)
    if parts.is_absolute() or ".." in parts.parts:
        raise WorkerError(
            Kind.CHECKPOINT_CORRUPT, f"`pipeline.json` names `{name}`, which is outside the model folder"
        )
    for ending in (".json", ".safetensors"):
        file = folder / f"{name}{ending}"
        if not file.is_file():
            raise WorkerError(
                Kind.CHECKPOINT_MISSING,
                f"`{name}{ending}` is named in `pipeline.json` but is not in the model folder",
            )
    return folder / name


def _model(path: Path, name: str) -> Any:
    models = importlib.import_module("trellis.models")
    try:
        return models.from_pretrained(str(path))
    except Exception as error:
        # Whatever is known by itself (memory, driver, extension) stays what it is.
        if kind_of(error) is Kind.INTERNAL and isinstance(
            error, ValueError | KeyError | TypeError | AttributeError | EOFError
        ):
            detail = " ".join(str(error).split())[:200]
            raise WorkerError(
                Kind.CHECKPOINT_CORRUPT, f"checkpoint `{name}` cannot be loaded: {detail}"
            ) from error
        if kind_of(error) is Kind.CHECKPOINT_CORRUPT:
            detail = " ".join(str(error).split())[:200]
            raise WorkerError(Kind.CHECKPOINT_CORRUPT, f"checkpoint `{name}` is damaged: {detail}") from error
        raise


@contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    original = owner.__dict__[name]
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, original)


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

    with _replaced(hub, "load", load_local):
        yield
