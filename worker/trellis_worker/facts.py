"""What is installed and how much memory is in use."""

from __future__ import annotations

import importlib
import os
import platform
import re
from importlib import metadata
from pathlib import Path
from typing import Any

from .protocol import GpuFacts

# The distribution names under which a package may be installed.
_DISTRIBUTIONS = {
    "torch": ("torch",),
    "xformers": ("xformers",),
    "spconv": ("spconv-cu128", "spconv-cu126", "spconv-cu124", "spconv-cu121", "spconv-cu120", "spconv"),
    "kaolin": ("kaolin",),
}


def _version(names: tuple[str, ...]) -> str | None:
    for name in names:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def versions(torch: Any | None) -> dict[str, str]:
    """What the packages say of themselves, without importing them."""
    found = {"python": platform.python_version()}
    for package, names in _DISTRIBUTIONS.items():
        version = _version(names)
        if version:
            found[package] = version
    if torch is not None:
        found["torch"] = str(torch.__version__)
        if torch.version.cuda:
            found["cuda"] = str(torch.version.cuda)
    elif local := re.search(r"\+cu(\d+)(\d)$", found.get("torch", "")):
        found["cuda"] = f"{local[1]}.{local[2]}"
    return found


def is_stand_in() -> bool:
    """Whether torch is the tests' stand-in, which has no tensors to calculate with."""
    return hasattr(importlib.import_module("torch"), "STAND_IN")


def gpu(torch: Any | None) -> GpuFacts | None:
    """The GPU that torch sees."""
    if torch is None or not torch.cuda.is_available():
        return None
    properties = torch.cuda.get_device_properties(0)
    return GpuFacts(properties.name, f"{properties.major}.{properties.minor}", int(properties.total_memory))


def rss_bytes() -> int:
    """Resident memory of this process."""
    pages = Path("/proc/self/statm").read_text("ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


class Vram:
    """torch's VRAM figures; all 0 without a GPU."""

    def __init__(self, torch: Any | None) -> None:
        self._cuda = torch.cuda if torch is not None and torch.cuda.is_available() else None

    def held(self) -> int:
        """What torch holds of the GPU now, cached blocks included, as other programs see it."""
        return int(self._cuda.memory_reserved()) if self._cuda and self._cuda.is_initialized() else 0

    def peak(self) -> int:
        """The most that torch held since `reset_peak`."""
        return int(self._cuda.max_memory_reserved()) if self._cuda else 0

    def reset_peak(self) -> None:
        """Starts a new measurement."""
        if self._cuda and self._cuda.is_initialized():
            self._cuda.reset_peak_memory_stats()

    def release(self) -> None:
        """Gives cached blocks back to the driver."""
        if self._cuda and self._cuda.is_initialized():
            self._cuda.empty_cache()

    def synchronize(self) -> None:
        """Waits for the GPU, so that times and errors belong to the stage that caused them."""
        if self._cuda and self._cuda.is_initialized():
            self._cuda.synchronize()
