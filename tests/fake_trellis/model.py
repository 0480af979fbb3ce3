"""Writes a model folder for the stand-in: `model.py FOLDER [NUMBERS]`, each weight of so many numbers."""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path

MODELS = {
    "sparse_structure_decoder": "ckpts/ss_dec",
    "sparse_structure_flow_model": "ckpts/ss_flow",
    "slat_decoder_gs": "ckpts/slat_dec_gs",
    "slat_decoder_mesh": "ckpts/slat_dec_mesh",
    "slat_flow_model": "ckpts/slat_flow",
    # Named as in TRELLIS's own folder, never loaded by the worker, so that it need not be there.
    "slat_decoder_rf": "ckpts/slat_dec_rf",
}


def write(folder: Path, numbers: int = 4) -> None:
    """The folder and, in it, torch.hub's folder with the encoder's code."""
    (folder / "ckpts").mkdir(parents=True, exist_ok=True)
    for name, checkpoint in MODELS.items():
        if name == "slat_decoder_rf":
            continue
        config = {"name": "FlowModel", "args": {"size": numbers}}
        (folder / f"{checkpoint}.json").write_text(json.dumps(config), "utf-8")
        header = {"weight": {"dtype": "F32", "shape": [numbers], "data_offsets": [0, numbers * 4]}}
        text = json.dumps(header).encode("utf-8")
        with (folder / f"{checkpoint}.safetensors").open("wb") as file:
            file.write(struct.pack("<Q", len(text)) + text + bytes(numbers * 4))
    pipeline = {
        "name": "TrellisImageTo3DPipeline",
        "args": {"models": MODELS, "image_cond_model": "dinov2_vitl14_reg"},
    }
    (folder / "pipeline.json").write_text(json.dumps(pipeline, indent=2), "utf-8")
    hub = folder / "torch" / "hub" / "facebookresearch_dinov2_main"
    hub.mkdir(parents=True, exist_ok=True)
    (hub / "hubconf.py").write_text(
        "from trellis.models import FlowModel\n\n\ndef dinov2_vitl14_reg(pretrained=True):\n    return FlowModel(4)\n",
        "utf-8",
    )


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 4)
