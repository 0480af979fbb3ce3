"""Writes a model folder for Microsoft's own TRELLIS code, as small as its classes allow, with random weights.

    model.py [--real-size] [--device DEVICE] FOLDER [DINOV2]     DINOV2: a checkout of facebookresearch/dinov2

The package `trellis` must be importable. The structure of the folder, the classes, resolutions and formats
are those of TRELLIS-image-large; channels and layers are few. The image encoder has its real size (1.2 GB),
for its name fixes that; without DINOV2 another one of a few numbers is in its place. The weights are such
that the sparse structure is blobs that fill a few percent of the space, and the mesh their surface: what
comes out looks like nothing, but every step has something to do. With --real-size the channels and layers are
those of TRELLIS-image-large, too. DEVICE: what draws the random numbers, the GPU where there is one.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

SEED = 1
RESOLUTION = 64
LATENT = 8
COND = 1024
ENCODER = "dinov2_vitl14_reg"
ENCODER_FILE = "dinov2_vitl14_reg4_pretrain.pth"
# The part of the space that the sparse structure fills.
FILLED = 0.02

FLOW = {
    "in_channels": LATENT,
    "out_channels": LATENT,
    "model_channels": 64,
    "cond_channels": COND,
    "num_blocks": 2,
    "num_heads": 2,
    "mlp_ratio": 4,
    "pe_mode": "ape",
    "qk_rms_norm": True,
    "use_fp16": True,
}
DECODER = {
    "resolution": RESOLUTION,
    "latent_channels": LATENT,
    "num_blocks": 2,
    "num_heads": 2,
    "mlp_ratio": 4,
    "attn_mode": "swin",
    "window_size": 8,
    "use_fp16": True,
}
GAUSSIANS = {
    "lr": {"_xyz": 1.0, "_features_dc": 1.0, "_opacity": 1.0, "_scaling": 1.0, "_rotation": 0.1},
    "perturb_offset": True,
    "voxel_size": 1.5,
    "num_gaussians": 32,
    "2d_filter_kernel_size": 0.1,
    "3d_filter_kernel_size": 0.0009,
    "scaling_bias": 0.004,
    "opacity_bias": 0.1,
    "scaling_activation": "softplus",
}
# Part of the pipeline, checkpoint, class, arguments.
MODELS: list[tuple[str, str, str, dict[str, Any]]] = [
    (
        "sparse_structure_decoder",
        "ss_dec",
        "SparseStructureDecoder",
        {
            "out_channels": 1,
            "latent_channels": LATENT,
            "num_res_blocks": 1,
            "num_res_blocks_middle": 1,
            "channels": [32, 16, 8],
            "use_fp16": True,
        },
    ),
    (
        "sparse_structure_flow_model",
        "ss_flow",
        "SparseStructureFlowModel",
        {"resolution": 16, "patch_size": 1, **FLOW},
    ),
    (
        "slat_decoder_gs",
        "slat_dec_gs",
        "SLatGaussianDecoder",
        {"model_channels": 64, "representation_config": GAUSSIANS, **DECODER},
    ),
    (
        "slat_decoder_mesh",
        "slat_dec_mesh",
        "SLatMeshDecoder",
        # Its last normalisation has 32 groups of an eighth of the channels.
        {"model_channels": 256, "representation_config": {"use_color": True}, **DECODER},
    ),
    (
        "slat_flow_model",
        "slat_flow",
        "SLatFlowModel",
        {
            "resolution": RESOLUTION,
            "patch_size": 2,
            "num_io_res_blocks": 2,
            "io_block_channels": [32],
            **FLOW,
        },
    ),
]


# What TRELLIS-image-large has in place of these few, by checkpoint; from its configurations in `configs/`.
REAL_FLOW = {"model_channels": 1024, "num_blocks": 24, "num_heads": 16}
REAL_DECODER = {"model_channels": 768, "num_blocks": 12, "num_heads": 12}
REAL_SIZE: dict[str, dict[str, Any]] = {
    "ss_dec": {"num_res_blocks": 2, "num_res_blocks_middle": 2, "channels": [512, 128, 32]},
    "ss_flow": REAL_FLOW,
    "slat_dec_gs": REAL_DECODER,
    "slat_dec_mesh": REAL_DECODER,
    "slat_flow": {**REAL_FLOW, "io_block_channels": [128]},
}


def sampler(strength: float) -> dict[str, Any]:
    return {
        "name": "FlowEulerGuidanceIntervalSampler",
        "args": {"sigma_min": 1e-5},
        "params": {"steps": 25, "cfg_strength": strength, "cfg_interval": [0.5, 1.0], "rescale_t": 3.0},
    }


def randomise(model: torch.nn.Module) -> None:
    """Small weights where the constructor left zeros, so that no layer is idle."""
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.any():
                parameter.normal_(std=0.01)


def default_device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def fill(decoder: Any) -> None:
    """Sets the last bias so that `FILLED` of the space is inside."""
    device = default_device()
    noise = torch.randn(1, LATENT, 16, 16, 16, device=device)
    with torch.no_grad():
        level = torch.quantile(decoder.to(device)(noise).flatten()[::16], 1 - FILLED)
        decoder.cpu().out_layer[-1].bias -= level.cpu()


TINY_ENCODER = """
import torch


class Encoder(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.patches = torch.nn.Conv2d(3, 1024, 14, 14)

    def forward(self, picture, is_training):
        return {"x_prenorm": self.patches(picture).flatten(2).transpose(1, 2)}


def dinov2_vitl14_reg(pretrained=True):
    torch.manual_seed(1)
    return Encoder()
"""


def write_encoder(hub: Path, dinov2: Path | None) -> None:
    """The encoder's code and weights, where torch.hub looks for them."""
    code = hub / "facebookresearch_dinov2_main"
    if dinov2 is None:
        code.mkdir(parents=True)
        (code / "hubconf.py").write_text(TINY_ENCODER, "utf-8")
        return
    shutil.copytree(dinov2, code, ignore=shutil.ignore_patterns(".git"))
    encoder = torch.hub.load(str(dinov2), ENCODER, source="local", pretrained=False)
    (hub / "checkpoints").mkdir()
    torch.save(encoder.cpu().state_dict(), hub / "checkpoints" / ENCODER_FILE)


def write(folder: Path, dinov2: Path | None, real_size: bool) -> None:
    """The folder and, in it, torch.hub's folder with the image encoder."""
    import trellis.models

    torch.manual_seed(SEED)
    (folder / "ckpts").mkdir(parents=True)
    for part, checkpoint, name, tiny in MODELS:
        arguments = {**tiny, **(REAL_SIZE[checkpoint] if real_size else {})}
        model = getattr(trellis.models, name)(**arguments)
        randomise(model)
        if part == "sparse_structure_decoder":
            fill(model)
        text = json.dumps({"name": name, "args": arguments}, indent=2)
        (folder / "ckpts" / f"{checkpoint}.json").write_text(text, "utf-8")
        save_file(model.state_dict(), folder / "ckpts" / f"{checkpoint}.safetensors")
    models = {part: f"ckpts/{checkpoint}" for part, checkpoint, _, _ in MODELS}
    pipeline = {
        "name": "TrellisImageTo3DPipeline",
        "args": {
            "models": models,
            "sparse_structure_sampler": sampler(5.0),
            "slat_sampler": sampler(3.0),
            "slat_normalization": {"mean": [0.0] * LATENT, "std": [1.0] * LATENT},
            "image_cond_model": ENCODER,
        },
    }
    (folder / "pipeline.json").write_text(json.dumps(pipeline, indent=2), "utf-8")
    write_encoder(folder / "torch" / "hub", dinov2)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--real-size", action="store_true")
    parser.add_argument("--device", default=default_device())
    parser.add_argument("folder", type=Path)
    parser.add_argument("dinov2", type=Path, nargs="?")
    asked = parser.parse_args()
    with torch.device(asked.device):
        write(asked.folder, asked.dinov2, asked.real_size)
