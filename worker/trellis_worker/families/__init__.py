"""The models that the worker can run. What is particular to one stands in a module of its own here."""

from __future__ import annotations

import importlib

from ..failures import WorkerError
from ..family import Family
from ..protocol import Kind

# The module of each model, by the model's name in parameters.
MODULES = {"trellis-image-large": "trellis1", "trellis2-4b": "trellis2"}


def family_of(model: str) -> Family:
    """The family of a model, imported only when it is asked for."""
    if model not in MODULES:
        raise WorkerError(Kind.INTERNAL, f"this worker does not know the model `{model}`")
    module = importlib.import_module(f".{MODULES[model]}", __name__)
    family: Family = module.FAMILY
    return family
