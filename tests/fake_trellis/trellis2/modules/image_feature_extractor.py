"""The image encoder."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from trellis2.models import FlowModel


class DINOv3ViTModel:
    """As transformers has it: what a checkpoint lacks is only told to whoever asks."""

    @staticmethod
    def from_pretrained(folder: str, output_loading_info: bool = False, local_files_only: bool = False) -> Any:
        assert output_loading_info and local_files_only
        found = json.loads((Path(folder) / "config.json").read_text("utf-8"))
        model = FlowModel(4)
        # Where transformers 5 has what transformers 4 had at `layer`.
        model.model = SimpleNamespace(layer=[])
        return model, {"missing_keys": found["missing"], "unexpected_keys": [], "mismatched_keys": []}


class DinoV3FeatureExtractor:
    """Holds the model."""

    def __init__(self, model_name: str) -> None:
        self.model = DINOv3ViTModel.from_pretrained(model_name)
        assert self.model.layer == []

    def to(self, device: Any) -> None:
        self.model.to(device)
