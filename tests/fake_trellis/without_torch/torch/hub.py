"""torch.hub with a pinned folder; a name of a repository would be asked for at GitHub."""

from __future__ import annotations

import os
import urllib.request
from typing import Any


def get_dir() -> str:
    cache = os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache"))
    return os.path.join(os.environ.get("TORCH_HOME", os.path.join(cache, "torch")), "hub")


def load(repository: str, model: str, source: str = "github", pretrained: bool = True) -> Any:
    if source == "github":
        urllib.request.urlopen(f"https://github.com/{repository}/tree/main/")
    from trellis.models import FlowModel

    return FlowModel(4)
