"""Same picture, parameters, seed and environment: same result, as far as CUDA allows.

Some CUDA operators have no deterministic form (torch then warns once); nothing can be promised across GPUs,
drivers or library versions.
"""

from __future__ import annotations

import importlib
import os
import random
from typing import Any

from .facts import is_stand_in

# cuBLAS reads it when its first handle is made; this value gives it fixed workspaces.
CUBLAS_VARIABLE = "CUBLAS_WORKSPACE_CONFIG"
CUBLAS_VALUE = ":4096:8"


def before_torch() -> None:
    """What must be set before CUDA starts."""
    os.environ.setdefault(CUBLAS_VARIABLE, CUBLAS_VALUE)


def settings(torch: Any) -> list[str]:
    """Puts torch into its repeatable mode and says what was set."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Filling fresh memory would cost time and helps only programs that read uninitialised memory.
    torch.utils.deterministic.fill_uninitialized_memory = False
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    return [
        "torch.use_deterministic_algorithms(True, warn_only=True)",
        "torch.utils.deterministic.fill_uninitialized_memory = False",
        "torch.backends.cudnn.benchmark = False",
        "torch.backends.cudnn.deterministic = True",
        f"{CUBLAS_VARIABLE}={os.environ.get(CUBLAS_VARIABLE, '')}",
        "seeded: torch, numpy, random",
    ]


def seed_all(torch: Any, seed: int) -> None:
    """Seeds every generator that TRELLIS uses; its texture bake draws views from numpy's."""
    random.seed(seed)
    torch.manual_seed(seed)
    if not is_stand_in():
        importlib.import_module("numpy").random.seed(seed)
