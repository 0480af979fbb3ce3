"""Modules that are imported only once something of them is used.

TRELLIS's modules import nvdiffrast, whose licence allows research and evaluation only, whether they draw with
it or not. Our own ways do without it, so it is imported when TRELLIS's own first draw.
"""

from __future__ import annotations

import importlib
import sys
from functools import cache
from types import ModuleType
from typing import Any


class Deferred(ModuleType):
    """Stands for a module, and passes on to it."""

    def __getattr__(self, name: str) -> Any:
        # What the import system and inspections ask of any module.
        if name.startswith("__"):
            raise AttributeError(name)
        # Annotations name classes that nobody makes anything of.
        return _class_of(self.__name__, name) if name[0].isupper() else getattr(_real(self.__name__), name)


def defer(name: str) -> None:
    """Has `import name` and `import name as …` wait; `name` is a module within a package. One that is there
    already stays."""
    package, _, last = name.rpartition(".")
    if package in sys.modules:
        return
    for part in (package, name):
        sys.modules[part] = Deferred(part)
        sys.modules[part].__path__ = []
    setattr(sys.modules[package], last, sys.modules[name])


def is_imported(name: str) -> bool:
    """Whether the module itself is there."""
    module = sys.modules.get(name)
    return module is not None and not isinstance(module, Deferred)


def _real(name: str) -> ModuleType:
    """Imports the module itself."""
    for part in (name.rpartition(".")[0], name):
        if isinstance(sys.modules.get(part), Deferred):
            del sys.modules[part]
    return importlib.import_module(name)


@cache
def _class_of(module: str, name: str) -> type:
    def made(_cls: type, *args: Any, **options: Any) -> Any:
        return getattr(_real(module), name)(*args, **options)

    return type(name, (), {"__new__": made})
