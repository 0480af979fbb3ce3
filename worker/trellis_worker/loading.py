"""Builds models without filling them with random numbers that their checkpoints replace at once.

A constructor's parameters are made on torch's `meta` device, which has shapes and types but no memory, and
`load_state_dict` puts the checkpoint's own tensors in their places, in the type that the model has there.
What else a constructor makes (buffers, tables of frequencies) is made as ever. Here stands also how the
kernel is told of files that will be read, so that it reads them beside that.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

torch: Any = importlib.import_module("torch")


@contextmanager
def without_random_weights() -> Iterator[None]:
    """Until the end of the block, which must be left with every model loaded: see `complete`."""
    module = torch.nn.Module
    register, load = module.register_parameter, module.load_state_dict

    def register_empty(owner: Any, name: str, parameter: Any) -> None:
        register(owner, name, parameter)
        if parameter is not None and not parameter.is_meta:
            empty = torch.nn.Parameter(parameter.to("meta"), requires_grad=parameter.requires_grad)
            owner._parameters[name] = empty

    def load_in_place_of(owner: Any, state: Any, strict: bool = True, assign: bool = True) -> Any:
        """`assign` is always so here: nothing can be copied into what has no memory."""
        del assign
        types = {name: tensor.dtype for name, tensor in owner.state_dict().items()}
        typed = {name: tensor.to(types.get(name, tensor.dtype)) for name, tensor in state.items()}
        # What is assigned is registered, too, and must not be emptied.
        module.register_parameter = register
        try:
            return load(owner, typed, strict=strict, assign=True)
        finally:
            module.register_parameter = register_empty

    module.register_parameter, module.load_state_dict = register_empty, load_in_place_of
    try:
        yield
    finally:
        module.register_parameter, module.load_state_dict = register, load


def complete(model: Any, name: str) -> None:
    """Raises a `RuntimeError` that names what the checkpoint of model `name` left empty."""
    missing = [key for key, tensor in model.state_dict().items() if tensor.is_meta]
    if missing:
        raise RuntimeError(
            f"Error(s) in loading state_dict for `{name}`: no value for {', '.join(missing[:5])}"
        )


def read_ahead(files: Iterable[Path]) -> None:
    """Has the kernel begin to read files into its cache; one that is missing is left to whoever opens it."""
    for file in files:
        try:
            opened = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            os.posix_fadvise(opened, 0, 0, os.POSIX_FADV_WILLNEED)
        finally:
            os.close(opened)
