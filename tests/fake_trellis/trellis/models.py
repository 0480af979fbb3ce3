"""Checkpoints: JSON with the class and its arguments, safetensors with one weight."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import torch

from . import script
from .arrays import REAL


class SafetensorError(Exception):
    """As the package `safetensors` raises it."""


if REAL:

    class FlowModel(torch.nn.Module):
        """A model of one weight of `size` numbers."""

        resolution = 4
        in_channels = 8

        def __init__(self, size: int) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.empty(size), requires_grad=False)

        @property
        def device(self) -> torch.device:
            return self.weight.device

        def forward(self, x: Any) -> Any:
            return x * 0.5 + self.weight[0]

else:

    class FlowModel:  # type: ignore[no-redef]
        """A model of one weight of `size` numbers, which knows only where it is."""

        def __init__(self, size: int) -> None:
            self.size = size
            self.device = "cpu"

        def eval(self) -> None:
            """Nothing to do."""

        def to(self, device: Any) -> None:
            self.device = str(device)

        def load_state_dict(self, tensors: dict[str, int]) -> None:
            if tensors != {"weight": self.size}:
                raise RuntimeError(
                    f"Error(s) in loading state_dict for FlowModel:\n\tMissing key(s) in state_dict: "
                    f'"weight", found {sorted(tensors)}'
                )

        def __call__(self, x: Any) -> Any:
            return x


def load_file(path: str) -> Any:
    """The tensors of a file; without torch, their sizes."""
    if REAL:
        from safetensors.torch import load_file as load_tensors

        return load_tensors(path)
    content = Path(path).read_bytes()
    try:
        (length,) = struct.unpack_from("<Q", content)
        header = json.loads(content[8 : 8 + length])
    except (struct.error, ValueError) as error:
        raise SafetensorError("Error while deserializing header: InvalidHeader") from error
    end = max((tensor["data_offsets"][1] for tensor in header.values()), default=0)
    if len(content) != 8 + length + end:
        raise SafetensorError("Error while deserializing header: MetadataIncompleteBuffer")
    return {name: tensor["shape"][0] for name, tensor in header.items()}


def from_pretrained(path: str) -> Any:
    """Local where both files are there; anything else would be a download."""
    script.act(f"model:{Path(path).name}")
    if not (Path(f"{path}.json").exists() and Path(f"{path}.safetensors").exists()):
        raise RuntimeError(f"401 Client Error. Repository Not Found for url: https://huggingface.co/{path}")
    config = json.loads(Path(f"{path}.json").read_text("utf-8"))
    classes = {"FlowModel": FlowModel}
    model = classes[config["name"]](**config["args"])
    model.load_state_dict(load_file(f"{path}.safetensors"))
    return model
