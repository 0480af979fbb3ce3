//! Reads `pipeline.json`: which models a pipeline has, how it samples, and what it conditions on.
//!
//! Source: `Pipeline.from_pretrained` and its subclasses, in TRELLIS and in TRELLIS.2. Keys that TRELLIS does not read are ignored, as
//! it ignores them. Not here: whether the values make sense (`check/settings.rs`).

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};
use trellis_core::Model;

use crate::dinov3;
use crate::extras::{self, Dinov2, Extra};
use crate::places::Places;
use crate::read::{ReadError, read_json};
use crate::reference::{Reference, Refused};
use crate::role::{Need, Role};
use crate::shape_encoder;

/// The file's name in every model folder.
pub const PIPELINE_FILE: &str = "pipeline.json";

/// TRELLIS's pipeline from pictures.
pub(crate) const IMAGE: &str = "TrellisImageTo3DPipeline";
/// TRELLIS's pipeline from texts.
pub(crate) const TEXT: &str = "TrellisTextTo3DPipeline";
/// TRELLIS.2's pipeline.
pub(crate) const TRELLIS2: &str = "Trellis2ImageTo3DPipeline";

/// `pipeline.json`. TRELLIS.2's has its encoder of shapes among its models, by the published name where it names none.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(from = "Written")]
pub struct Pipeline {
    /// The pipeline's class, such as `TrellisImageTo3DPipeline`.
    pub name: String,
    /// Its arguments.
    pub args: Args,
}

/// The file as it is written.
#[derive(Deserialize)]
struct Written {
    name: String,
    args: Args,
}

impl From<Written> for Pipeline {
    fn from(Written { name, args }: Written) -> Self {
        let mut pipeline = Self { name, args };
        if pipeline.is_trellis2() {
            let role = Role::ShapeSlatEncoder.name().to_owned();
            let models = &mut pipeline.args.models;
            models
                .entry(role)
                .or_insert_with(|| shape_encoder::NAME.to_owned());
        }
        pipeline
    }
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
    /// How TRELLIS.2's latent of the shape is sampled.
    pub shape_slat_sampler: Option<Sampler>,
    /// How TRELLIS.2's latent of the texture is sampled.
    pub tex_slat_sampler: Option<Sampler>,
    /// Mean and deviation per channel of TRELLIS.2's latent of the shape.
    pub shape_slat_normalization: Option<Normalization>,
    /// The same of the texture.
    pub tex_slat_normalization: Option<Normalization>,
    /// What an image pipeline conditions on.
    pub image_cond_model: Option<Encoder>,
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

/// A picture's encoder.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Encoder {
    /// A DINOv2 network by its name, as TRELLIS has it.
    Named(String),
    /// A class with the arguments of its constructor, as TRELLIS.2 has it.
    Built {
        /// The class.
        name: String,
        /// For the constructor.
        #[serde(default)]
        args: Map<String, Value>,
    },
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

    /// The model that runs it, if a known one does.
    pub fn model(&self) -> Option<Model> {
        match self.name.as_str() {
            IMAGE | TEXT => Some(Model::TrellisImageLarge),
            TRELLIS2 => Some(Model::Trellis2),
            _ => None,
        }
    }

    /// Whether it is TRELLIS.2's.
    pub fn is_trellis2(&self) -> bool {
        self.model() == Some(Model::Trellis2)
    }

    /// The DINOv2 network that it conditions on, if it is a known one.
    pub fn dinov2(&self) -> Option<Dinov2> {
        match &self.args.image_cond_model {
            Some(Encoder::Named(name)) => Dinov2::from_name(name),
            _ => None,
        }
    }

    /// What it reads besides its folder.
    pub fn extras(&self, places: &Places) -> Vec<Extra> {
        match self.dinov2() {
            Some(network) => extras::needed(network, places).into(),
            None if self.is_trellis2() => vec![extras::u2net(places)],
            None => Vec::new(),
        }
    }

    /// Role and checkpoint name of each model that is loaded. TRELLIS's own loader takes every one that is named,
    /// TRELLIS.2's those that inference uses.
    pub fn loaded(&self) -> impl Iterator<Item = (&String, &String)> {
        let unused = |role: &str| {
            role.parse::<Role>()
                .is_ok_and(|role| role.needed_for() == Need::Nothing)
        };
        let models = self.args.models.iter();
        models.filter(move |(role, _)| !self.is_trellis2() || !unused(role))
    }

    /// The known roles that a checkpoint plays.
    pub fn roles_of(&self, reference: &Reference) -> Vec<Role> {
        let named = self.args.models.iter();
        let named = named.filter(|(_, text)| self.reference(text).is_ok_and(|named| named == *reference));
        named.filter_map(|(role, _)| role.parse().ok()).collect()
    }

    /// What a checkpoint's name means in this pipeline. TRELLIS.2's folder has the decoder that is named as another
    /// repository's beside the others, since there is one folder for each model.
    pub fn reference(&self, text: &str) -> Result<Reference, Refused> {
        let reference = Reference::parse(text)?;
        Ok(match reference.other_repo() {
            Some((_, inner)) if self.is_trellis2() => inner,
            _ => reference,
        })
    }

    /// The sound names of the checkpoints that are loaded, each once.
    pub fn references(&self) -> Vec<Reference> {
        let names = self.loaded().map(|(_, text)| text);
        let mut found: Vec<Reference> = names.filter_map(|text| self.reference(text).ok()).collect();
        found.sort();
        found.dedup();
        found
    }

    /// TRELLIS.2's encoder of shapes; `None` for other pipelines, and where its name is refused.
    pub fn shape_encoder(&self) -> Option<Reference> {
        let mut references = self.references().into_iter();
        references.find(|reference| self.is_shape_encoder(reference))
    }

    /// Whether a checkpoint is TRELLIS.2's encoder of shapes, and nothing else.
    pub fn is_shape_encoder(&self, reference: &Reference) -> bool {
        self.is_trellis2() && shape_encoder::is(&self.roles_of(reference))
    }

    /// The files of a folder that inference reads, relative to it, `pipeline.json` first. Those of other
    /// repositories are left out unless they lie in the folder, as is the encoder of shapes, and refused names always
    /// are.
    pub fn files_read(&self, folder: &Path) -> Vec<String> {
        let mut files = vec![PIPELINE_FILE.to_owned()];
        for reference in self.references() {
            if self.is_shape_encoder(&reference) {
                files.extend(shape_encoder_files(&reference, folder));
                continue;
            }
            let here = reference.files_in(folder).1.exists();
            if here || reference.other_repo().is_none() {
                files.push(reference.config());
                files.push(reference.weights());
            }
        }
        if self.is_trellis2() {
            files.extend(dinov3::FILES.map(str::to_owned));
        }
        files
    }
}

/// The encoder's files that are in a folder: a configuration by itself is not read.
fn shape_encoder_files(reference: &Reference, folder: &Path) -> Vec<String> {
    let (config, weights) = reference.files_in(folder);
    match (weights.exists(), config.exists()) {
        (true, true) => vec![reference.config(), reference.weights()],
        (true, false) => vec![reference.weights()],
        (false, _) => Vec::new(),
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
    fn a_folder_of_trellis2_has_the_other_repository_s_decoder_and_dinov3_in_it() {
        let text = br#"{"name":"Trellis2ImageTo3DPipeline","args":{
            "models":{"sparse_structure_decoder":"microsoft/TRELLIS-image-large/ckpts/ss_dec"},
            "image_cond_model":{"name":"DinoV3FeatureExtractor","args":{"model_name":"facebook/dinov3"}}}}"#;
        let pipeline = Pipeline::parse(text).unwrap();
        assert_eq!(pipeline.model(), Some(Model::Trellis2));
        assert_eq!(pipeline.dinov2(), None);
        assert_eq!(
            pipeline.files_read(Path::new("/nowhere")),
            [
                "pipeline.json",
                "ckpts/ss_dec.json",
                "ckpts/ss_dec.safetensors",
                "dinov3/config.json",
                "dinov3/model.safetensors"
            ]
        );
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
