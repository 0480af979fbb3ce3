"""Writes the small files of TRELLIS-image-large whose hash no source gives: pipeline.json and two decoders'
configurations. Everything in them is in TRELLIS's own training configurations, but for the samplers.

usage: model-configurations CONFIGS FOLDER     CONFIGS is the folder `configs` of TRELLIS's sources

They are written as the hub has them, to the byte; nix/models.nix compares them with the pins.
"""

import json
import re
import sys
from pathlib import Path
from textwrap import dedent

MODELS = {
    "sparse_structure_decoder": "ss_dec_conv3d_16l8_fp16",
    "sparse_structure_flow_model": "ss_flow_img_dit_L_16l8_fp16",
    "slat_decoder_gs": "slat_dec_gs_swin8_B_64l8gs32_fp16",
    "slat_decoder_rf": "slat_dec_rf_swin8_B_64l8r16_fp16",
    "slat_decoder_mesh": "slat_dec_mesh_swin8_B_64l8m256c_fp16",
    "slat_flow_model": "slat_flow_img_dit_L_64l8p2_fp16",
}
# What TRELLIS samples with unless it is told otherwise.
SAMPLER = {
    "name": "FlowEulerGuidanceIntervalSampler",
    "args": {"sigma_min": 1e-5},
    "params": {"steps": 25, "cfg_strength": 5.0, "cfg_interval": [0.5, 1.0], "rescale_t": 3.0},
}


def decoder(configuration: Path) -> str:
    """A decoder as its training configuration has it, numbers spelt as there. Training's `Elastic` classes
    save memory; the weights are of the plain ones."""
    found = re.search(r'^( +)"decoder": (\{.*?^\1\})', configuration.read_text(), re.MULTILINE | re.DOTALL)
    if found is None:
        sys.exit(f"model-configurations: {configuration} has no decoder")
    return dedent(found[1] + found[2]).replace('"Elastic', '"')


def pipeline(normalization: dict) -> str:
    arguments = {
        "models": {role: f"ckpts/{name}" for role, name in MODELS.items()},
        "sparse_structure_sampler": SAMPLER,
        "slat_sampler": SAMPLER,
        "slat_normalization": normalization,
        "image_cond_model": "dinov2_vitl14_reg",
    }
    text = json.dumps({"name": "TrellisImageTo3DPipeline", "args": arguments}, indent=4)
    pair = re.sub(r'("cfg_interval": )\[\s+(\S+)\s+(\S+)\s+\]', r"\1[\2 \3]", text)
    return pair.replace("1e-05", "1e-5")


def main() -> None:
    configs, folder = map(Path, sys.argv[1:])
    latents = json.loads((configs / f"generation/{MODELS['slat_flow_model']}.json").read_text())
    (folder / "ckpts").mkdir(parents=True, exist_ok=True)
    (folder / "pipeline.json").write_text(pipeline(latents["dataset"]["args"]["normalization"]))
    for role, name in {"slat_decoder_gs": "slat_vae_enc_dec_gs", "slat_decoder_rf": "slat_vae_dec_rf"}.items():
        text = decoder(configs / f"vae/{name}_swin8_B_64l8_fp16.json")
        (folder / f"ckpts/{MODELS[role]}.json").write_text(text)


main()
