//! Makes small model folders with true safetensors, for tests: the layout and names of TRELLIS-image-large,
//! a thousandth of its size.

#![allow(dead_code, reason = "each program of tests uses a part of it")]

pub(crate) mod timm;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};
use trellis_models::Places;
use trellis_models::config::Config;
use trellis_models::dinov3;
use trellis_models::extras::{self, Dinov2, Form};
use trellis_models::pipeline::PIPELINE_FILE;
use trellis_models::role::{Class, Role};
use trellis_models::shape_encoder;
use trellis_models::shapes::implied;

/// Role, checkpoint name and class of each model, as in the release.
pub(crate) const MODELS: [(Role, &str, &str); 6] = [
    (
        Role::SparseStructureDecoder,
        "ss_dec_conv3d_16l8_fp16",
        "SparseStructureDecoder",
    ),
    (
        Role::SparseStructureFlowModel,
        "ss_flow_img_dit_L_16l8_fp16",
        "SparseStructureFlowModel",
    ),
    (
        Role::SlatDecoderGs,
        "slat_dec_gs_swin8_B_64l8gs32_fp16",
        "ElasticSLatGaussianDecoder",
    ),
    (
        Role::SlatDecoderRf,
        "slat_dec_rf_swin8_B_64l8r16_fp16",
        "ElasticSLatRadianceFieldDecoder",
    ),
    (
        Role::SlatDecoderMesh,
        "slat_dec_mesh_swin8_B_64l8m256c_fp16",
        "ElasticSLatMeshDecoder",
    ),
    (
        Role::SlatFlowModel,
        "slat_flow_img_dit_L_64l8p2_fp16",
        "ElasticSLatFlowModel",
    ),
];

/// The checkpoint that the reference notes lack.
pub(crate) const MISSING_IN_NOTES: &str = "slat_flow_img_dit_L_64l8p2_fp16";

/// Writes a whole, sound folder.
pub(crate) fn write_model(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join(PIPELINE_FILE), pipeline_text())?;
    for (_, name, class) in MODELS {
        write_checkpoint(folder, name, class)?;
    }
    Ok(())
}

/// Writes the folder of the reference notes: five of the six checkpoints.
pub(crate) fn write_model_of_the_notes(folder: &Path) -> io::Result<()> {
    write_model(folder)?;
    for ending in ["json", "safetensors"] {
        fs::remove_file(folder.join(format!("ckpts/{MISSING_IN_NOTES}.{ending}")))?;
    }
    Ok(())
}

/// Role, checkpoint name and class of each model of TRELLIS.2-4B, as in the release. The first is of the other model's
/// repository.
pub(crate) const TRELLIS2: [(Role, &str, &str); 8] = [
    (
        Role::SparseStructureDecoder,
        "ss_dec_conv3d_16l8_fp16",
        "SparseStructureDecoder",
    ),
    (
        Role::SparseStructureFlowModel,
        "ss_flow_img_dit_1_3B_64_bf16",
        "SparseStructureFlowModel",
    ),
    (
        Role::ShapeSlatFlowModel512,
        "slat_flow_img2shape_dit_1_3B_512_bf16",
        "SLatFlowModel",
    ),
    (
        Role::ShapeSlatFlowModel1024,
        "slat_flow_img2shape_dit_1_3B_1024_bf16",
        "SLatFlowModel",
    ),
    (
        Role::ShapeSlatDecoder,
        "shape_dec_next_dc_f16c32_fp16",
        "FlexiDualGridVaeDecoder",
    ),
    (
        Role::TexSlatFlowModel512,
        "slat_flow_imgshape2tex_dit_1_3B_512_bf16",
        "SLatFlowModel",
    ),
    (
        Role::TexSlatFlowModel1024,
        "slat_flow_imgshape2tex_dit_1_3B_1024_bf16",
        "SLatFlowModel",
    ),
    (
        Role::TexSlatDecoder,
        "tex_dec_next_dc_f16c32_fp16",
        "SparseUnetVaeDecoder",
    ),
];

/// The repository that TRELLIS.2 takes a decoder of.
pub(crate) const LARGE: &str = "microsoft/TRELLIS-image-large";

/// Writes TRELLIS.2's own repository: what is of another one is not in it.
pub(crate) fn write_trellis2_repository(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder.join("ckpts"))?;
    fs::write(folder.join(PIPELINE_FILE), trellis2_pipeline().to_string())?;
    for (_, name, class) in &TRELLIS2[1..] {
        write_with(folder, name, &trellis2_config(class))?;
    }
    write_shape_encoder(folder)
}

/// Writes TRELLIS.2's encoder of shapes, which `pipeline.json` does not name and which needs no configuration.
pub(crate) fn write_shape_encoder(folder: &Path) -> io::Result<()> {
    let weights = weights(&shape_encoder::published(), shape_encoder::NAME.len())?;
    fs::write(
        folder.join(format!("{}.safetensors", shape_encoder::NAME)),
        weights,
    )
}

/// Writes a whole, sound folder of TRELLIS.2, in which the encoder has its true shapes and zeros that take no room.
pub(crate) fn write_trellis2(folder: &Path) -> io::Result<()> {
    write_trellis2_repository(folder)?;
    let (_, name, class) = TRELLIS2[0];
    write_checkpoint(folder, name, class)?;
    let encoder = folder.join(dinov3::FOLDER);
    fs::create_dir_all(&encoder)?;
    dinov3::write_configuration(&encoder).map_err(io::Error::other)?;
    let weights = fs::File::create(encoder.join("model.safetensors"))?;
    weights.write_all_at(&dinov3::result_header(dinov3::Size::LARGE), 0)?;
    weights.set_len(dinov3::result_bytes(dinov3::Size::LARGE))
}

/// `pipeline.json` of TRELLIS.2.
pub(crate) fn trellis2_pipeline() -> Value {
    let models: BTreeMap<&str, String> = TRELLIS2
        .into_iter()
        .map(|(role, name, _)| {
            let of = if role == Role::SparseStructureDecoder {
                format!("{LARGE}/")
            } else {
                String::new()
            };
            (role.name(), format!("{of}ckpts/{name}"))
        })
        .collect();
    let sampler = json!({
        "name": "FlowEulerGuidanceIntervalSampler",
        "args": { "sigma_min": 1e-5 },
        "params": {
            "steps": 12, "guidance_strength": 7.5, "guidance_rescale": 0.5, "guidance_interval": [0.6, 1.0],
            "rescale_t": 3.0,
        },
    });
    let normalization = json!({ "mean": [0.0, 0.0], "std": [1.0, 1.0] });
    json!({
        "name": "Trellis2ImageTo3DPipeline",
        "args": {
            "models": models,
            "sparse_structure_sampler": sampler,
            "shape_slat_sampler": sampler,
            "tex_slat_sampler": sampler,
            "shape_slat_normalization": normalization,
            "tex_slat_normalization": normalization,
            "image_cond_model": {
                "name": "DinoV3FeatureExtractor",
                "args": { "model_name": "facebook/dinov3-vitl16-pretrain-lvd1689m" },
            },
            "rembg_model": { "name": "BiRefNet", "args": { "model_name": "briaai/RMBG-2.0" } },
        },
    })
}

/// A sound configuration of one of TRELLIS.2's classes, with small numbers.
fn trellis2_config(class: &str) -> Config {
    let args = match Class::from_name(class) {
        Some(Class::SparseStructureFlowModel | Class::SLatFlowModel) => json!({
            "resolution": 4, "in_channels": 8, "out_channels": 8, "model_channels": 16, "cond_channels": 1024,
            "num_blocks": 3, "num_heads": 2, "mlp_ratio": 5.3334, "pe_mode": "rope", "share_mod": true,
            "dtype": "bfloat16",
        }),
        _ => json!({
            "model_channels": [16, 8, 4], "latent_channels": 8, "num_blocks": [2, 1, 0], "out_channels": 6,
            "use_fp16": true,
        }),
    };
    let mut args = args;
    Config {
        name: class.to_owned(),
        args: args.as_object_mut().map(std::mem::take).unwrap_or_default(),
    }
}

/// How long the extras of a sample are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    /// As the published files, mostly holes, so that they take no room; slow to hash.
    Published,
    /// A few kilobytes.
    Small,
}

/// Writes DINOv2's code and weights and u2net where their readers look: the right kinds of files, whole, with
/// nothing in them.
pub(crate) fn write_extras(places: &Places, length: Length) -> io::Result<()> {
    let network =
        Dinov2::from_name("dinov2_vitl14_reg").ok_or_else(|| io::Error::other("unknown network"))?;
    for extra in extras::needed(network, places) {
        let folder = extra.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let length = match (length, extra.pin) {
            (Length::Published, Some(pin)) => pin.size,
            _ => 8192,
        };
        match extra.form {
            Form::Code => {
                for file in extras::CODE {
                    let path = folder.join(file);
                    fs::create_dir_all(path.parent().unwrap_or(folder))?;
                    fs::write(path, "# DINOv2\n")?;
                }
            }
            Form::Torch => write_archive(&extra.path, length)?,
            Form::Onnx => write_onnx(&extra.path, length)?,
        }
    }
    Ok(())
}

/// A zip archive without a file in it that anything reads: a first header, a directory, an end record.
fn write_archive(path: &Path, length: u64) -> io::Result<()> {
    const DIRECTORY: u64 = 46;
    let file = fs::File::create(path)?;
    file.write_all_at(b"PK\x03\x04", 0)?;
    let at = length - DIRECTORY - 22;
    file.write_all_at(b"PK\x01\x02", at)?;
    let mut end = b"PK\x05\x06\0\0\0\0\x01\0\x01\0".to_vec();
    for number in [DIRECTORY, at] {
        end.extend_from_slice(&u32::try_from(number).map_err(io::Error::other)?.to_le_bytes());
    }
    end.extend_from_slice(&[0, 0]);
    file.write_all_at(&end, length - 22)
}

/// An ONNX model: its version, then a graph that fills the rest and ends in something.
fn write_onnx(path: &Path, length: u64) -> io::Result<()> {
    let mut start = vec![0x08, 0x07, 0x3a];
    // Five bytes always hold the length, the last without the bit that goes on.
    let body = length - 8;
    for part in 0..5 {
        let bits = (body >> (7 * part)).to_le_bytes()[0] & 0x7f;
        start.push(if part < 4 { bits | 0x80 } else { bits });
    }
    let file = fs::File::create(path)?;
    file.write_all_at(&start, 0)?;
    file.write_all_at(b"end", length - 3)
}

/// Writes one checkpoint's two files under `ckpts`.
pub(crate) fn write_checkpoint(folder: &Path, name: &str, class: &str) -> io::Result<()> {
    write_with(folder, name, &config(class))
}

fn write_with(folder: &Path, name: &str, config: &Config) -> io::Result<()> {
    let ckpts = folder.join("ckpts");
    fs::create_dir_all(&ckpts)?;
    let text = serde_json::to_vec_pretty(&json!({ "name": config.name, "args": config.args }))?;
    fs::write(ckpts.join(format!("{name}.json")), text)?;
    fs::write(
        ckpts.join(format!("{name}.safetensors")),
        weights(config, name.len())?,
    )
}

/// The text of the sample's `pipeline.json`, laid out as the release's is.
pub(crate) fn pipeline_text() -> String {
    let models = MODELS.map(|(role, name, _)| format!("            \"{role}\": \"ckpts/{name}\""));
    let sampler = r#"{
            "name": "FlowEulerGuidanceIntervalSampler",
            "args": { "sigma_min": 1e-5 },
            "params": { "steps": 25, "cfg_strength": 5.0, "cfg_interval": [0.5, 1.0], "rescale_t": 3.0 }
        }"#;
    format!(
        r#"{{
    "name": "TrellisImageTo3DPipeline",
    "args": {{
        "models": {{
{}
        }},
        "sparse_structure_sampler": {sampler},
        "slat_sampler": {sampler},
        "slat_normalization": {{
            "mean": [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
            "std": [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
        }},
        "image_cond_model": "dinov2_vitl14_reg"
    }}
}}
"#,
        models.join(",\n")
    )
}

/// A sound configuration of a class, with small numbers.
pub(crate) fn config(class: &str) -> Config {
    let flow = json!({
        "resolution": 4, "in_channels": 8, "out_channels": 8, "model_channels": 16, "cond_channels": 1024,
        "num_blocks": 3, "num_heads": 2, "mlp_ratio": 4, "patch_size": 2, "pe_mode": "ape", "use_fp16": true,
        "io_block_channels": [8],
    });
    let latent = json!({
        "resolution": 4, "model_channels": 16, "latent_channels": 8, "num_blocks": 2, "num_heads": 2,
        "mlp_ratio": 4, "use_fp16": true,
        "representation_config": { "num_gaussians": 4, "rank": 2, "dim": 2, "use_color": true },
    });
    let dense = json!({
        "out_channels": 1, "latent_channels": 8, "num_res_blocks": 1, "channels": [8, 4], "use_fp16": true,
    });
    let mut args = match Class::from_name(class) {
        Some(Class::SparseStructureFlowModel | Class::SLatFlowModel) => flow,
        Some(Class::SparseStructureDecoder) => dense,
        _ => latent,
    };
    let args = args.as_object_mut().map(std::mem::take).unwrap_or_default();
    let mut config = Config {
        name: class.to_owned(),
        args,
    };
    if class == "SparseStructureFlowModel" {
        config.args.remove("io_block_channels");
        config.args.insert("patch_size".to_owned(), Value::from(1));
    }
    config
}

/// Weights with the shapes that a configuration implies; `seed` makes two files of one class differ.
fn weights(config: &Config, seed: usize) -> io::Result<Vec<u8>> {
    let class = Class::from_name(&config.name).ok_or_else(|| io::Error::other("unknown class"))?;
    let implied = implied(class, config).map_err(io::Error::other)?;
    let mut shapes: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for block in 0..implied.blocks.unwrap_or(0) {
        shapes.insert(format!("blocks.{block}.norm2.weight"), vec![8]);
    }
    shapes.extend(implied.tensors.into_iter().map(|e| (e.tensor, e.shape)));
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = shapes
        .into_iter()
        .map(|(name, shape)| {
            let shape: Vec<usize> = shape
                .iter()
                .filter_map(|side| usize::try_from(*side).ok())
                .collect();
            let bytes = 2 * shape.iter().product::<usize>();
            // The upper byte of each number is kept below the exponent of infinity and NaN.
            let mask = |at: usize| if at % 2 == 1 { 0x3b } else { 0xff };
            let data = (0..bytes).map(|at| (at.wrapping_mul(seed + 7) >> 3).to_le_bytes()[0] & mask(at));
            (name, shape, data.collect())
        })
        .collect();
    let views = tensors.iter().map(|(name, shape, data)| {
        let view = TensorView::new(Dtype::F16, shape.clone(), data).map_err(io::Error::other)?;
        Ok((name.as_str(), view))
    });
    let views: Vec<(&str, TensorView<'_>)> = views.collect::<io::Result<_>>()?;
    safetensors::serialize(views, None).map_err(io::Error::other)
}
