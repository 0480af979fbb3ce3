//! Reads `pipeline.json`: which models a pipeline has, how it samples, and what it conditions on.
//!
//! Source: `Pipeline.from_pretrained` and its two subclasses. Keys that TRELLIS does not read are ignored, as
//! it ignores them. Not here: whether the values make sense (`check/settings.rs`).

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::read::{ReadError, read_json};
use crate::reference::Reference;

/// The file's name in every model folder.
pub const PIPELINE_FILE: &str = "pipeline.json";

/// `pipeline.json`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Pipeline {
    /// The pipeline's class, such as `TrellisImageTo3DPipeline`.
    pub name: String,
    /// Its arguments.
    pub args: Args,
}

/// `args` of `pipeline.json`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Args {
    /// Role → checkpoint name.
    pub models: BTreeMap<String, String>,
    /// How the sparse structure is sampled.
    pub sparse_structure_sampler: Option<Sampler>,
    /// How the structured latent is sampled.
    pub slat_sampler: Option<Sampler>,
    /// Mean and deviation per latent channel.
    pub slat_normalization: Option<Normalization>,
    /// The DINOv2 form an image pipeline conditions on.
    pub image_cond_model: Option<String>,
    /// The CLIP model a text pipeline conditions on.
    pub text_cond_model: Option<String>,
}

/// A sampler by name, with the arguments of its constructor and of its `sample` method.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Sampler {
    /// The class.
    pub name: String,
    /// For the constructor.
    #[serde(default)]
    pub args: Map<String, Value>,
    /// For `sample`.
    #[serde(default)]
    pub params: Map<String, Value>,
}

/// One number per latent channel.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Normalization {
    /// Means.
    pub mean: Vec<f64>,
    /// Standard deviations.
    pub std: Vec<f64>,
}

impl Pipeline {
    /// Parses the text of a `pipeline.json`. Nesting beyond 128 levels in what is read, and numbers beyond `f64`,
    /// are errors.
    pub fn parse(text: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(text)
    }

    /// Reads a folder's file.
    pub fn read(folder: &Path) -> Result<Self, ReadError> {
        read_json(&folder.join(PIPELINE_FILE))
    }

    /// The sound checkpoint names, each once.
    pub fn references(&self) -> Vec<Reference> {
        let names = self.args.models.values();
        let mut found: Vec<Reference> = names.filter_map(|text| Reference::parse(text).ok()).collect();
        found.sort();
        found.dedup();
        found
    }

    /// The files of a folder that inference reads, relative to it, `pipeline.json` first. Those of other
    /// repositories are left out unless they lie in the folder, and refused names always are.
    pub fn files_read(&self, folder: &Path) -> Vec<String> {
        let mut files = vec![PIPELINE_FILE.to_owned()];
        for reference in self.references() {
            let here = reference.files_in(folder).1.exists();
            if here || reference.other_repo().is_none() {
                files.push(reference.config());
                files.push(reference.weights());
            }
        }
        files
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_trellis_reads_and_ignores_the_rest() {
        let text = br#"{"name":"TrellisImageTo3DPipeline","unknown":1,
            "args":{"models":{"slat_flow_model":"ckpts/x"},"more":{}}}"#;
        let pipeline = Pipeline::parse(text).unwrap();
        assert_eq!(pipeline.args.models["slat_flow_model"], "ckpts/x");
        assert_eq!(pipeline.args.image_cond_model, None);
    }

    #[test]
    fn survives_deep_nesting_and_huge_numbers() {
        let deep = format!("{{\"name\":{}", "[".repeat(1_000_000));
        assert!(Pipeline::parse(deep.as_bytes()).is_err());
        let nested = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
        let read = format!(
            r#"{{"name":"x","args":{{"models":{{}},"slat_sampler":{{"name":"x","args":{{"y":{nested}}}}}}}}}"#
        );
        assert!(Pipeline::parse(read.as_bytes()).is_err());
        let skipped = format!(r#"{{"name":"x","args":{{"models":{{}},"y":{nested}}}}}"#);
        assert!(
            Pipeline::parse(skipped.as_bytes()).is_ok(),
            "skipping takes no stack"
        );
        let huge = br#"{"name":"x","args":{"models":{},"slat_normalization":{"mean":[1e999],"std":[]}}}"#;
        assert!(Pipeline::parse(huge).is_err());
    }
}
