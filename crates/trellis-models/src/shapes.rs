//! The tensor shapes that a checkpoint's configuration implies.
//!
//! Not all of them: the few that tell whether weights and configuration belong together (input, output, the
//! first and last block, the conditioning). Source: the constructors in `trellis/models/` and `trellis2/models/`;
//! `load_state_dict` is strict, and the worker's own of TRELLIS.2, so any difference here is a failure there.

use serde_json::Value;

use crate::config::{BadArgument, Config};
use crate::role::Class;

/// A tensor and the shape it must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Its name in the file.
    pub tensor: String,
    /// Its shape.
    pub shape: Vec<u64>,
}

/// What the configuration implies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Implied {
    /// Tensors with their shapes.
    pub tensors: Vec<Expected>,
    /// The number of `blocks.N`, where the class has transformer blocks.
    pub blocks: Option<u64>,
    /// The width of the features that condition it, where something does.
    pub condition_width: Option<u64>,
}

impl Implied {
    fn add(&mut self, tensor: impl Into<String>, shape: impl Into<Vec<u64>>) {
        self.tensors.push(Expected {
            tensor: tensor.into(),
            shape: shape.into(),
        });
    }
}

/// The shapes that `config` implies for `class`.
pub fn implied(class: Class, config: &Config) -> Result<Implied, BadArgument> {
    match class {
        Class::SparseStructureFlowModel => sparse_structure_flow(config),
        Class::SLatFlowModel => structured_latent_flow(config),
        Class::SparseStructureEncoder => convolutions(config, config.count("in_channels")?, {
            2 * config.count("latent_channels")?
        }),
        Class::SparseStructureDecoder => convolutions(
            config,
            config.count("latent_channels")?,
            config.count("out_channels")?,
        ),
        Class::SLatEncoder => {
            let outputs = 2 * config.count("latent_channels")?;
            transformer(config, config.count("in_channels")?, outputs, 1)
        }
        Class::SLatGaussianDecoder => {
            // Per Gaussian: position 3, colour 3, scale 3, rotation 4, opacity 1.
            let outputs = 14 * config.representation("num_gaussians")?;
            transformer(config, config.count("latent_channels")?, outputs, 1)
        }
        Class::SLatRadianceFieldDecoder => {
            // Per rank: three vectors of `dim`, density 1, colour 3.
            let outputs = config.representation("rank")? * (3 * config.representation("dim")? + 4);
            transformer(config, config.count("latent_channels")?, outputs, 1)
        }
        Class::SLatMeshDecoder => {
            // FlexiCubes per cube: 8 distances, 8 × 3 deformations, 21 weights, and 8 × 6 colours if asked.
            let colours = if config.representation_switch("use_color") {
                48
            } else {
                0
            };
            // Two subdivisions narrow the channels to an eighth.
            transformer(config, config.count("latent_channels")?, 53 + colours, 8)
        }
        Class::FlexiDualGridVaeEncoder => unet_encoder(config),
        // Per voxel: the vertex 3, which edges are crossed 3, how a quad is split 1.
        Class::FlexiDualGridVaeDecoder => unet_decoder(config, 7),
        Class::SparseUnetVaeDecoder => unet_decoder(config, config.count("out_channels")?),
    }
}

fn sparse_structure_flow(config: &Config) -> Result<Implied, BadArgument> {
    let channels = config.count("model_channels")?;
    // TRELLIS.2's takes each cell by itself; only its configurations name an element type.
    let patch = if config.args.contains_key("dtype") {
        1
    } else {
        config.count_or("patch_size", 2)?
    };
    let cells = patch.saturating_pow(3);
    let mut implied = Implied::default();
    let inputs = config.count("in_channels")?.saturating_mul(cells);
    let outputs = config.count("out_channels")?.saturating_mul(cells);
    implied.add("input_layer.weight", [channels, inputs]);
    implied.add("out_layer.weight", [outputs, channels]);
    if config.text_or("pe_mode", "ape") == "ape" {
        let side = config.count("resolution")? / patch;
        implied.add("pos_emb", [side.saturating_pow(3), channels]);
    }
    conditioned_blocks(config, &mut implied)?;
    Ok(implied)
}

fn structured_latent_flow(config: &Config) -> Result<Implied, BadArgument> {
    let channels = config.count("model_channels")?;
    let outermost = config
        .counts("io_block_channels")?
        .map_or(channels, |list| list[0]);
    let mut implied = Implied::default();
    implied.add("input_layer.weight", [outermost, config.count("in_channels")?]);
    implied.add("out_layer.weight", [config.count("out_channels")?, outermost]);
    conditioned_blocks(config, &mut implied)?;
    Ok(implied)
}

/// The blocks that both flow models have.
fn conditioned_blocks(config: &Config, implied: &mut Implied) -> Result<(), BadArgument> {
    let channels = config.count("model_channels")?;
    let condition = config.count("cond_channels")?;
    let blocks = config.count("num_blocks")?;
    implied.add("t_embedder.mlp.2.weight", [channels, channels]);
    for block in first_and_last(blocks) {
        implied.add(
            format!("blocks.{block}.self_attn.to_qkv.weight"),
            [3 * channels, channels],
        );
        implied.add(
            format!("blocks.{block}.cross_attn.to_kv.weight"),
            [2 * channels, condition],
        );
        implied.add(
            format!("blocks.{block}.mlp.mlp.0.weight"),
            [hidden(config, channels)?, channels],
        );
    }
    implied.blocks = Some(blocks);
    implied.condition_width = Some(condition);
    Ok(())
}

/// The sparse transformers of the structured latent: encoder and decoders.
fn transformer(config: &Config, inputs: u64, outputs: u64, narrowing: u64) -> Result<Implied, BadArgument> {
    let channels = config.count("model_channels")?;
    let blocks = config.count("num_blocks")?;
    let mut implied = Implied::default();
    implied.add("input_layer.weight", [channels, inputs]);
    implied.add("out_layer.weight", [outputs, channels / narrowing]);
    for block in first_and_last(blocks) {
        implied.add(
            format!("blocks.{block}.attn.to_qkv.weight"),
            [3 * channels, channels],
        );
        implied.add(
            format!("blocks.{block}.mlp.mlp.0.weight"),
            [hidden(config, channels)?, channels],
        );
    }
    implied.blocks = Some(blocks);
    Ok(implied)
}

/// The dense convolutions of the sparse structure: encoder and decoder.
fn convolutions(config: &Config, inputs: u64, outputs: u64) -> Result<Implied, BadArgument> {
    let channels = config.counts("channels")?.ok_or_else(|| BadArgument {
        name: "channels".to_owned(),
        wanted: "a list of positive whole numbers",
    })?;
    let mut implied = Implied::default();
    implied.add("input_layer.weight", [channels[0], inputs, 3, 3, 3]);
    let innermost = channels[channels.len() - 1];
    implied.add("out_layer.2.weight", [outputs, innermost, 3, 3, 3]);
    Ok(implied)
}

/// The levels of a sparse U-Net of TRELLIS.2, outermost last in a decoder. A convolution's weight has the outputs first
/// and the inputs last, which is FlexGEMM's order.
fn unet_decoder(config: &Config, outputs: u64) -> Result<Implied, BadArgument> {
    let channels = levels(config)?;
    let (first, last) = (channels[0], channels[channels.len() - 1]);
    let mut implied = Implied::default();
    implied.add("from_latent.weight", [first, config.count("latent_channels")?]);
    implied.add("output_layer.weight", [outputs, last]);
    implied.add("blocks.0.0.conv.weight", [first, 3, 3, 3, first]);
    Ok(implied)
}

/// Per voxel an encoder takes the vertex, 3 numbers, and which edges are crossed, 3. A level may have no block of its own,
/// only the one that leads to the next.
fn unet_encoder(config: &Config) -> Result<Implied, BadArgument> {
    let channels = levels(config)?;
    let (first, last) = (channels[0], channels[channels.len() - 1]);
    let mut implied = Implied::default();
    implied.add("input_layer.weight", [first, 6]);
    implied.add("to_latent.weight", [2 * config.count("latent_channels")?, last]);
    let blocks = config.args.get("num_blocks").and_then(Value::as_array);
    let mut blocks = blocks.into_iter().flatten().zip(&channels).enumerate();
    let with_block = blocks.find(|(_, (count, _))| count.as_u64().is_some_and(|count| count > 0));
    if let Some((level, (_, &width))) = with_block {
        implied.add(format!("blocks.{level}.0.conv.weight"), [width, 3, 3, 3, width]);
    }
    Ok(implied)
}

fn levels(config: &Config) -> Result<Vec<u64>, BadArgument> {
    config.counts("model_channels")?.ok_or_else(|| BadArgument {
        name: "model_channels".to_owned(),
        wanted: "a list of positive whole numbers",
    })
}

/// Width of a block's feed-forward layer. TRELLIS cuts the product down as Python's `int` does.
fn hidden(config: &Config, channels: u64) -> Result<u64, BadArgument> {
    let ratio = config.number_or("mlp_ratio", 4.0)?;
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "both factors are positive and bounded when they are read, 2^24 and 10^6"
    )]
    Ok((channels as f64 * ratio) as u64)
}

fn first_and_last(blocks: u64) -> Vec<u64> {
    if blocks == 1 { vec![0] } else { vec![0, blocks - 1] }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shapes(class: Class, args: &str) -> Vec<String> {
        let text = format!(r#"{{"name":"x","args":{args}}}"#);
        let config: Config = serde_json::from_str(&text).unwrap();
        let implied = implied(class, &config).unwrap();
        let lines = implied.tensors.iter();
        lines.map(|e| format!("{} {:?}", e.tensor, e.shape)).collect()
    }

    /// The numbers are those of the released TRELLIS-image-large.
    #[test]
    fn implies_the_shapes_of_the_released_models() {
        let flow = r#""model_channels":1024,"cond_channels":1024,"num_blocks":24,"mlp_ratio":4,"in_channels":8,"out_channels":8"#;
        insta::assert_debug_snapshot!(shapes(
            Class::SparseStructureFlowModel,
            &format!(r#"{{{flow},"resolution":16,"patch_size":1}}"#)
        ));
        insta::assert_debug_snapshot!(shapes(
            Class::SLatFlowModel,
            &format!(r#"{{{flow},"resolution":64,"patch_size":2,"io_block_channels":[128]}}"#)
        ));
        let decoder = r#""model_channels":768,"latent_channels":8,"num_blocks":12,"mlp_ratio":4"#;
        for (class, representation) in [
            (Class::SLatGaussianDecoder, r#"{"num_gaussians":32}"#),
            (Class::SLatRadianceFieldDecoder, r#"{"rank":16,"dim":8}"#),
            (Class::SLatMeshDecoder, r#"{"use_color":true}"#),
        ] {
            let args = format!(r#"{{{decoder},"representation_config":{representation}}}"#);
            insta::assert_debug_snapshot!(shapes(class, &args));
        }
        insta::assert_debug_snapshot!(shapes(
            Class::SparseStructureDecoder,
            r#"{"out_channels":1,"latent_channels":8,"channels":[512,128,32]}"#
        ));
    }

    /// The numbers are those of the released TRELLIS.2-4B.
    #[test]
    fn implies_the_shapes_of_trellis2_s_released_models() {
        let flow = r#""resolution":32,"out_channels":32,"model_channels":1536,"cond_channels":1024,"num_blocks":30,
            "num_heads":12,"mlp_ratio":5.3334,"pe_mode":"rope","share_mod":true,"dtype":"bfloat16""#;
        let cases = [
            (
                Class::SparseStructureFlowModel,
                format!(r#"{{{flow},"in_channels":8}}"#),
                "input_layer.weight [1536, 8]",
            ),
            (
                Class::SLatFlowModel,
                format!(r#"{{{flow},"in_channels":64}}"#),
                "input_layer.weight [1536, 64]",
            ),
            (
                Class::SLatFlowModel,
                format!(r#"{{{flow},"in_channels":32}}"#),
                "blocks.29.mlp.mlp.0.weight [8192, 1536]",
            ),
        ];
        for (class, args, expected) in cases {
            let shapes = shapes(class, &args);
            assert!(shapes.contains(&expected.to_owned()), "{expected}: {shapes:?}");
            assert!(
                !shapes.iter().any(|line| line.starts_with("pos_emb")),
                "{shapes:?}"
            );
        }
        let decoder =
            r#""model_channels":[1024,512,256,128,64],"latent_channels":32,"num_blocks":[4,16,8,4,0]"#;
        for (class, more, outputs) in [
            (Class::FlexiDualGridVaeDecoder, r#""resolution":256"#, 7),
            (Class::SparseUnetVaeDecoder, r#""out_channels":6"#, 6),
        ] {
            assert_eq!(
                shapes(class, &format!("{{{decoder},{more}}}")),
                [
                    "from_latent.weight [1024, 32]".to_owned(),
                    format!("output_layer.weight [{outputs}, 64]"),
                    "blocks.0.0.conv.weight [1024, 3, 3, 3, 1024]".to_owned(),
                ]
            );
        }
    }

    #[test]
    fn refuses_absent_and_absurd_arguments() {
        for (args, name) in [
            ("{}", "model_channels"),
            (r#"{"model_channels":-1}"#, "model_channels"),
            (r#"{"model_channels":1e30}"#, "model_channels"),
            (r#"{"model_channels":99999999999}"#, "model_channels"),
            (r#"{"model_channels":8,"patch_size":"two"}"#, "patch_size"),
        ] {
            let text = format!(r#"{{"name":"x","args":{args}}}"#);
            let config: Config = serde_json::from_str(&text).unwrap();
            let error = implied(Class::SparseStructureFlowModel, &config).unwrap_err();
            assert_eq!(error.name, name, "{args}");
        }
    }
}
