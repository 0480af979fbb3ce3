"""Kernels compiled for the processor, to hold them against what torch alone does."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path
from typing import Any

from kit import worker_kit  # noqa: F401 puts the worker on the path
from trellis_worker.texture import kernel

COMPILER = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
# What a GPU's compiler knows by itself; no two threads meet here.
BEFORE = """
#include <cmath>
static double __dmul_rn(double a, double b) { return a * b; }
static double __dadd_rn(double a, double b) { return a + b; }
static double __ddiv_rn(double a, double b) { return a / b; }
static long long __double2ll_rn(double a) { return (long long)std::nearbyint(a); }
static void atomicMin(long long* at, long long value) { if (value < *at) *at = value; }
"""
AFTER = """
extern "C" void all(long long items, const long long* more) {
  for (long long item = 0; item < items; ++item) %s<long long>(item, %s);
}
"""


def on_processor(source: str, folder: Path) -> Any:
    """The function of a kernel's source as torch's compiler would give it."""
    file, library = folder / "kernel.cpp", folder / "kernel.so"
    names = kernel.names_of(source)
    function = source[: source.index("(")].split()[-1]
    file.write_text(BEFORE + source + AFTER % (function, ", ".join(f"more[{k}]" for k in range(len(names)))))
    command = [str(COMPILER), "-O1", "-ffp-contract=off", "-shared", "-fPIC", "-o", library, file]
    subprocess.run(command, check=True)
    run = ctypes.CDLL(str(library)).all

    def call(items: Any, **more: int) -> None:
        run(ctypes.c_longlong(len(items)), (ctypes.c_longlong * len(more))(*(more[name] for name in names)))

    return call
