"""Writes a model folder for the stand-in: `model.py FOLDER [NUMBERS]`, each weight of so many numbers,
or one of the second family: `model.py --trellis2 FOLDER`."""

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


def _checkpoint(path: Path, numbers: int) -> None:
    config = {"name": "FlowModel", "args": {"size": numbers}}
    path.with_suffix(".json").write_text(json.dumps(config), "utf-8")
    header = {"weight": {"dtype": "F32", "shape": [numbers], "data_offsets": [0, numbers * 4]}}
    text = json.dumps(header).encode("utf-8")
    with path.with_suffix(".safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + bytes(numbers * 4))


def write(folder: Path, numbers: int = 4) -> None:
    """The folder and, in it, torch.hub's folder with the encoder's code."""
    (folder / "ckpts").mkdir(parents=True, exist_ok=True)
    for name, checkpoint in MODELS.items():
        if name == "slat_decoder_rf":
            continue
        _checkpoint(folder / checkpoint, numbers)
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


TRELLIS2 = {
    "sparse_structure_flow_model": "ckpts/ss_flow",
    # Of the other model's repository, as in TRELLIS.2's own folder.
    "sparse_structure_decoder": "microsoft/TRELLIS-image-large/ckpts/ss_dec",
    "shape_slat_flow_model_512": "ckpts/shape_flow_512",
    "shape_slat_flow_model_1024": "ckpts/shape_flow_1024",
    "shape_slat_decoder": "ckpts/shape_dec",
    "tex_slat_flow_model_512": "ckpts/tex_flow_512",
    "tex_slat_flow_model_1024": "ckpts/tex_flow_1024",
    "tex_slat_decoder": "ckpts/tex_dec",
    # Only for texturing a given mesh.
    "shape_slat_encoder": "ckpts/shape_enc",
}


def write_trellis2(folder: Path, numbers: int = 4) -> None:
    """A folder of the second family."""
    (folder / "ckpts").mkdir(parents=True, exist_ok=True)
    for checkpoint in TRELLIS2.values():
        _checkpoint(folder / "ckpts" / Path(checkpoint).name, numbers)
    encoder = folder / "dinov3"
    encoder.mkdir(exist_ok=True)
    (encoder / "config.json").write_text('{"missing": []}', "utf-8")
    (encoder / "model.safetensors").write_bytes(b"")
    arguments = {
        "models": TRELLIS2,
        "image_cond_model": {"name": "DinoV3FeatureExtractor", "args": {"model_name": "facebook/dinov3"}},
        "rembg_model": {"name": "BiRefNet", "args": {"model_name": "briaai/RMBG-2.0"}},
    }
    pipeline = {"name": "Trellis2ImageTo3DPipeline", "args": arguments}
    (folder / "pipeline.json").write_text(json.dumps(pipeline, indent=2), "utf-8")


if __name__ == "__main__":
    if sys.argv[1] == "--trellis2":
        write_trellis2(Path(sys.argv[2]))
    else:
        write(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 4)
