"""Reads a model folder of TRELLIS's form: `pipeline.json` and a pair of files for each model.

TRELLIS's own loader wraps each model's load in a bare `except:` that tries again with the checkpoint's name
as a hub repository, so that any cause ends as "Repository Not Found". Here each model is loaded once.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from .failures import WorkerError, kind_of
from .protocol import Kind


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


def local(name: str) -> str:
    """A checkpoint's name in the folder: TRELLIS.2 takes one of another repository, `owner/name/ckpts/…`."""
    parts = PurePosixPath(name).parts
    return str(PurePosixPath(*parts[parts.index("ckpts") :])) if "ckpts" in parts[1:] else name


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


def load_model(from_pretrained: Callable[[str], Any], path: Path, name: str) -> Any:
    """A model of TRELLIS's `from_pretrained`; a checkpoint that does not fit it is named."""
    try:
        return from_pretrained(str(path))
    except WorkerError:
        raise
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


def load_strictly(models: Any, path: Path, name: str, known: dict[str, Any] | None = None) -> Any:
    """A model of a checkpoint that has each of its weights, and no other. TRELLIS.2's own loader takes what
    fits and leaves the rest random. `known`: the model's configuration, in place of the file beside it."""

    def from_pretrained(path: str) -> Any:
        config = known or json.loads(Path(f"{path}.json").read_text("utf-8"))
        model = getattr(models, config["name"])(**config["args"])
        state = importlib.import_module("safetensors.torch").load_file(f"{path}.safetensors")
        found = model.load_state_dict(state, strict=False)
        weights = {key for key, _ in model.named_parameters()}
        # Tables that the constructor computes need not be there.
        missing = [key for key in found.missing_keys if key in weights]
        for wrong, what in ((missing, "lacks"), (found.unexpected_keys, "has, and the model has not,")):
            if wrong:
                more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
                raise WorkerError(
                    Kind.CHECKPOINT_CORRUPT, f"checkpoint `{name}` does not fit: it {what} `{wrong[0]}`{more}"
                )
        return model

    return load_model(from_pretrained, path, name)


@contextmanager
def replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Has `owner.name` be `value` for a while."""
    original = owner.__dict__[name]
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, original)
