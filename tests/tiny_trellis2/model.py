"""Writes a model folder for Microsoft's own TRELLIS.2 code, as small as its classes allow, of random weights.

    model.py [--device DEVICE] FOLDER

The packages `trellis2` and `transformers` must be importable. The structure of the folder, the names of its
files, the classes, resolutions and formats are those of TRELLIS.2-4B; channels and layers are few. Random
weights know no object: source.sh has the copy of TRELLIS.2 put a sphere in the place of what they say of the
shape. DEVICE: what draws the random numbers, the GPU where there is one.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

SEED = 1
LATENT = 32
STRUCTURE_LATENT = 8
# Of the image encoder, by its size.
COND = {"tiny": 64, "real": 1024}

FLOW = {
    "model_channels": 128,
    "cond_channels": COND["tiny"],
    "num_blocks": 2,
    "num_heads": 2,
    "mlp_ratio": 4,
    "pe_mode": "rope",
    "share_mod": True,
    "initialization": "scaled",
    "qk_rms_norm": True,
    "qk_rms_norm_cross": True,
    "dtype": "bfloat16",
}
DECODER = {
    "latent_channels": LATENT,
    "model_channels": [128, 64, 32, 32, 16],
    # The last level has none, as in TRELLIS.2-4B.
    "num_blocks": [1, 1, 1, 1, 0],
    "block_type": ["SparseConvNeXtBlock3d"] * 5,
    "up_block_type": ["SparseResBlockC2S3d"] * 4,
    "block_args": [{}] * 5,
    "use_fp16": True,
}
SHAPE = {"resolution": 32, "in_channels": LATENT, "out_channels": LATENT}
# The texture's flow is given the shape's latent, too.
TEXTURE = {"resolution": 32, "in_channels": 2 * LATENT, "out_channels": LATENT}
# Part of the pipeline, checkpoint, class, arguments.
MODELS: list[tuple[str, str, str, dict[str, Any]]] = [
    (
        "sparse_structure_flow_model",
        "ss_flow_img_dit_1_3B_64_bf16",
        "SparseStructureFlowModel",
        {"resolution": 16, "in_channels": STRUCTURE_LATENT, "out_channels": STRUCTURE_LATENT, **FLOW},
    ),
    (
        "sparse_structure_decoder",
        "ss_dec_conv3d_16l8_fp16",
        "SparseStructureDecoder",
        {
            "out_channels": 1,
            "latent_channels": STRUCTURE_LATENT,
            "num_res_blocks": 1,
            "num_res_blocks_middle": 1,
            "channels": [32, 16, 8],
            "use_fp16": True,
        },
    ),
    (
        "shape_slat_flow_model_512",
        "slat_flow_img2shape_dit_1_3B_512_bf16",
        "SLatFlowModel",
        {**SHAPE, **FLOW},
    ),
    (
        "shape_slat_flow_model_1024",
        "slat_flow_img2shape_dit_1_3B_1024_bf16",
        "SLatFlowModel",
        {**SHAPE, "resolution": 64, **FLOW},
    ),
    (
        "shape_slat_decoder",
        "shape_dec_next_dc_f16c32_fp16",
        "FlexiDualGridVaeDecoder",
        {"resolution": 256, **DECODER},
    ),
    (
        "tex_slat_flow_model_512",
        "slat_flow_imgshape2tex_dit_1_3B_512_bf16",
        "SLatFlowModel",
        {**TEXTURE, **FLOW},
    ),
    (
        "tex_slat_flow_model_1024",
        "slat_flow_imgshape2tex_dit_1_3B_1024_bf16",
        "SLatFlowModel",
        {**TEXTURE, "resolution": 64, **FLOW},
    ),
    (
        "tex_slat_decoder",
        "tex_dec_next_dc_f16c32_fp16",
        "SparseUnetVaeDecoder",
        {"out_channels": 6, "pred_subdiv": False, **DECODER},
    ),
]
# Of the second pipeline alone, which another file of TRELLIS.2-4B names.
SHAPE_ENCODER: tuple[str, str, dict[str, Any]] = (
    "shape_enc_next_dc_f16c32_fp16",
    "FlexiDualGridVaeEncoder",
    {
        "latent_channels": LATENT,
        "model_channels": [16, 32, 32, 64, 128],
        "num_blocks": [0, 1, 1, 1, 1],
        "block_type": ["SparseConvNeXtBlock3d"] * 5,
        "down_block_type": ["SparseResBlockS2C3d"] * 4,
        "block_args": [{}] * 5,
        "use_fp16": True,
    },
)
# That TRELLIS.2-4B takes from another repository.
ELSEWHERE = {"ss_dec_conv3d_16l8_fp16": "microsoft/TRELLIS-image-large/"}

# What TRELLIS.2-4B has in place of these few; from its configurations in `configs/`.
REAL_FLOW = {
    "model_channels": 1536,
    "cond_channels": COND["real"],
    "num_blocks": 30,
    "num_heads": 12,
    "mlp_ratio": 5.3334,
}
REAL_DECODER = {"model_channels": [1024, 512, 256, 128, 64], "num_blocks": [4, 16, 8, 4, 0]}
REAL_STRUCTURE = {"num_res_blocks": 2, "num_res_blocks_middle": 2, "channels": [512, 128, 32]}

# DINOv3's arguments: those of ViT-L/16, and fewer.
ENCODER: dict[str, dict[str, Any]] = {
    "tiny": {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2},
    "real": {
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
    },
}


def real_arguments(part: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a part in its real size."""
    if part == "sparse_structure_decoder":
        return {**arguments, **REAL_STRUCTURE}
    return {**arguments, **(REAL_DECODER if "decoder" in part else REAL_FLOW)}


def made(name: str, arguments: dict[str, Any]) -> Any:
    """A model of TRELLIS.2's with random weights, none of them zero."""
    import trellis2.models

    model = getattr(trellis2.models, name)(**arguments)
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.any():
                parameter.normal_(std=0.01)
    return model


def encoder(size: str) -> Any:
    """DINOv3 with random weights."""
    from transformers import DINOv3ViTConfig, DINOv3ViTModel

    config = DINOv3ViTConfig(**ENCODER[size], num_register_tokens=4, key_bias=False)
    return DINOv3ViTModel(config)


def sampler(strength: float, rescale: float, until: float, rescale_t: float) -> dict[str, Any]:
    params = {
        "steps": 12,
        "guidance_strength": strength,
        "guidance_rescale": rescale,
        "guidance_interval": [0.6, until],
        "rescale_t": rescale_t,
    }
    return {"name": "FlowEulerGuidanceIntervalSampler", "args": {"sigma_min": 1e-5}, "params": params}


def write_pipeline(folder: Path) -> None:
    """`pipeline.json`, as TRELLIS.2-4B has it."""
    normalization = {"mean": [0.0] * LATENT, "std": [1.0] * LATENT}
    arguments = {
        "models": {part: f"{ELSEWHERE.get(file, '')}ckpts/{file}" for part, file, _, _ in MODELS},
        "sparse_structure_sampler": sampler(7.5, 0.7, 1.0, 5.0),
        "shape_slat_sampler": sampler(7.5, 0.5, 1.0, 3.0),
        "tex_slat_sampler": sampler(1.0, 0.0, 0.9, 3.0),
        "shape_slat_normalization": normalization,
        "tex_slat_normalization": normalization,
        "image_cond_model": {
            "name": "DinoV3FeatureExtractor",
            "args": {"model_name": "facebook/dinov3-vitl16-pretrain-lvd1689m"},
        },
        "rembg_model": {"name": "BiRefNet", "args": {"model_name": "briaai/RMBG-2.0"}},
    }
    text = json.dumps({"name": "Trellis2ImageTo3DPipeline", "args": arguments}, indent=2)
    (folder / "pipeline.json").write_text(text, "utf-8")


# A processor takes many times as long for the formats of half the size.
FULL_PRECISION = {"dtype": "float32", "use_fp16": False}


def write(folder: Path, device: str) -> None:
    """The folder, tiny."""
    torch.manual_seed(SEED)
    (folder / "ckpts").mkdir(parents=True)
    for file, name, fast in (*(model[1:] for model in MODELS), SHAPE_ENCODER):
        arguments = fast
        if device == "cpu":
            arguments = {key: FULL_PRECISION.get(key, value) for key, value in fast.items()}
        text = json.dumps({"name": name, "args": arguments}, indent=2)
        (folder / "ckpts" / f"{file}.json").write_text(text, "utf-8")
        # Tables that the constructor computes may be complex, which the format does not know.
        state = made(name, arguments).state_dict()
        tensors = {key: value for key, value in state.items() if not value.is_complex()}
        save_file(tensors, folder / "ckpts" / f"{file}.safetensors")
    encoder("tiny").save_pretrained(folder / "dinov3")
    write_pipeline(folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("folder", type=Path)
    asked = parser.parse_args()
    with torch.device(asked.device):
        write(asked.folder, asked.device)
