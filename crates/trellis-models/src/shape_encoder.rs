//! TRELLIS.2's encoder of shapes, which only texturing a given mesh needs. A folder may lack it.
//!
//! `pipeline.json` of the release does not name it (its `texturing_pipeline.json` does), so its published name holds
//! where a pipeline names none. No public source gives a digest of its `NAME.json`: that file is not fetched, what
//! it says is built in, as the worker's `trellis2_texturing.py` has it, and one that lies beside the published
//! weights is compared by its values. Source: `configs/scvae/shape_vae_next_dc_f16c32_fp16.json` of TRELLIS.2.

use serde_json::{Map, Value, json};
use trellis_core::Model;
use trellis_pins::Pins;

use crate::config::Config;
use crate::role::Role;

/// Its name where `pipeline.json` gives none.
pub const NAME: &str = "ckpts/shape_enc_next_dc_f16c32_fp16";

/// The arguments by which a block saves memory in training; they change no result.
const OF_TRAINING: &str = "use_checkpoint";

/// How the published encoder is built.
pub fn published() -> Config {
    let (blocks, downward) = (["SparseConvNeXtBlock3d"; 5], ["SparseResBlockS2C3d"; 4]);
    let args = json!({
        "model_channels": [64, 128, 256, 512, 1024],
        "latent_channels": 32,
        "num_blocks": [0, 4, 8, 16, 4],
        "block_type": blocks,
        "down_block_type": downward,
        "block_args": [{}, {}, {}, {}, {}],
        "use_fp16": true,
    });
    let Value::Object(args) = args else {
        unreachable!("it is written as an object")
    };
    Config {
        name: "FlexiDualGridVaeEncoder".to_owned(),
        args,
    }
}

/// What a checkpoint with these roles is built by where it has no configuration: only the encoder needs none.
pub(crate) fn built_in(roles: &[Role]) -> Option<Config> {
    is(roles).then(published)
}

/// Whether a checkpoint with these roles is the encoder.
pub(crate) fn is(roles: &[Role]) -> bool {
    roles == [Role::ShapeSlatEncoder]
}

/// Whether weights of this length claim to be the published ones.
pub(crate) fn is_published(bytes: u64) -> bool {
    let folder = &Pins::embedded().models.folders[Model::Trellis2.name()];
    let pinned = folder.file(&format!("{NAME}.safetensors"));
    pinned.is_some_and(|file| file.size == bytes)
}

/// The first thing in which a configuration builds another encoder than the published one.
pub(crate) fn difference(config: &Config) -> Option<String> {
    let published = published();
    if config.name != published.name {
        return Some("name".to_owned());
    }
    let names = published.args.keys().chain(config.args.keys());
    let differs = |name: &&String| {
        let (found, expected) = (config.args.get(*name), published.args.get(*name));
        without_training(found) != without_training(expected)
    };
    names.into_iter().find(differs).cloned()
}

/// A value without what only training reads.
fn without_training(value: Option<&Value>) -> Option<Value> {
    let of_block = |block: &Value| match block {
        Value::Object(args) => {
            let kept = args.iter().filter(|(name, _)| *name != OF_TRAINING);
            let kept = kept.map(|(name, value)| (name.clone(), value.clone()));
            Value::Object(kept.collect::<Map<_, _>>())
        }
        other => other.clone(),
    };
    Some(match value? {
        Value::Array(items) => Value::Array(items.iter().map(of_block).collect()),
        other => other.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::role::Class;
    use crate::shapes::implied;

    /// The published weights have 284 tensors of 16 bits; their length leaves a header of a usual size, so the
    /// configuration is of these very weights.
    #[test]
    fn the_built_in_configuration_has_the_length_of_the_published_weights() {
        let config = published();
        let channels = config.counts("model_channels").unwrap().unwrap();
        let blocks: Vec<u64> = config.args["num_blocks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|count| count.as_u64().unwrap())
            .collect();
        let last = channels[4];
        let latent = 2 * config.count("latent_channels").unwrap();
        let (mut tensors, mut numbers) = (4, 6 * channels[0] + channels[0] + latent * last + latent);
        for (level, (&width, &count)) in channels.iter().zip(&blocks).enumerate() {
            // A convolution, a norm, and two layers four times as wide between them.
            tensors += 8 * count;
            numbers += count * (27 * width * width + width + 2 * width + 8 * width * width + 5 * width);
            if let Some(next) = channels.get(level + 1) {
                // A norm and two convolutions; the first makes an eighth, as eight voxels become one.
                tensors += 6;
                numbers += 2 * width + 27 * width * next / 8 + next / 8 + 27 * next * next + next;
            }
        }
        assert_eq!((tensors, numbers), (284, 354_385_392));
        let folder = &Pins::embedded().models.folders[Model::Trellis2.name()];
        let size = folder.file(&format!("{NAME}.safetensors")).unwrap().size;
        let header = size - 8 - 2 * numbers;
        assert_eq!(header / tensors, 93, "bytes of header for each tensor");
        assert!(is_published(size) && !is_published(size - 1));
    }

    #[test]
    fn another_encoder_is_told_by_the_first_argument_that_differs() {
        assert!(implied(Class::FlexiDualGridVaeEncoder, &published()).is_ok());
        let with = |name: &str, value: Value| {
            let mut config = published();
            config.args.insert(name.to_owned(), value);
            difference(&config)
        };
        assert_eq!(difference(&published()), None);
        let of_training = json!([{"use_checkpoint": true}, {"use_checkpoint": false}, {}, {}, {}]);
        assert_eq!(with("block_args", of_training), None);
        for (name, value) in [
            ("block_args", json!([{"mlp_ratio": 2}, {}, {}, {}, {}])),
            ("block_args", json!([{}, {}, {}, {}])),
            ("use_fp16", json!(false)),
            ("num_blocks", json!([0, 4, 8, 4, 4])),
            ("pred_subdiv", json!(true)),
        ] {
            assert_eq!(with(name, value.clone()).as_deref(), Some(name), "{value}");
        }
        let mut config = published();
        config.args.remove("use_fp16");
        assert_eq!(difference(&config).as_deref(), Some("use_fp16"));
        config.name = "SparseUnetVaeEncoder".to_owned();
        assert_eq!(difference(&config).as_deref(), Some("name"));
    }
}
