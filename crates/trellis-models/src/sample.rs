//! Makes small model folders with true safetensors, for tests: the layout and names of TRELLIS-image-large,
//! a thousandth of its size.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};

use crate::config::Config;
use crate::pipeline::PIPELINE_FILE;
use crate::role::{Class, Role};
use crate::shapes::implied;

/// Role, checkpoint name and class of each model, as in the release.
pub const MODELS: [(Role, &str, &str); 6] = [
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
pub const MISSING_IN_NOTES: &str = "slat_flow_img_dit_L_64l8p2_fp16";

/// Writes a whole, sound folder.
pub fn write_model(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join(PIPELINE_FILE), pipeline_text())?;
    for (_, name, class) in MODELS {
        write_checkpoint(folder, name, class)?;
    }
    Ok(())
}

/// Writes the folder of the reference notes: five of the six checkpoints.
pub fn write_model_of_the_notes(folder: &Path) -> io::Result<()> {
    write_model(folder)?;
    for ending in ["json", "safetensors"] {
        fs::remove_file(folder.join(format!("ckpts/{MISSING_IN_NOTES}.{ending}")))?;
    }
    Ok(())
}

/// Writes one checkpoint's two files under `ckpts`.
pub fn write_checkpoint(folder: &Path, name: &str, class: &str) -> io::Result<()> {
    let ckpts = folder.join("ckpts");
    fs::create_dir_all(&ckpts)?;
    let config = config(class);
    let text = serde_json::to_vec_pretty(&json!({ "name": class, "args": config.args }))?;
    fs::write(ckpts.join(format!("{name}.json")), text)?;
    fs::write(
        ckpts.join(format!("{name}.safetensors")),
        weights(&config, name.len())?,
    )
}

/// The text of the sample's `pipeline.json`, laid out as the release's is.
pub fn pipeline_text() -> String {
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
pub fn config(class: &str) -> Config {
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
            let data = (0..bytes).map(|at| (at.wrapping_mul(seed + 7) >> 3).to_le_bytes()[0]);
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
