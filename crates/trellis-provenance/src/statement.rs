//! What made files, as a statement about their digests: in-toto Statement v1 with SLSA's Provenance v1.
//!
//! Sources: the in-toto attestation framework, spec/v1/statement.md and resource_descriptor.md; SLSA,
//! provenance/v1. Everything but the run's times and name follows from the [`Provenance`], so that the
//! record in a file and a statement about it can be held against each other.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use trellis_core::{Pin, Provenance, PythonEnv, Schema, ServerBuild, Sha256};

const BUILD_TYPE: &str = "urn:trellis-server:build:generate:1";
const BUILDER: &str = "urn:trellis-server:builder";

/// A statement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    /// The files that it is about.
    pub subject: Vec<Resource>,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    predicate: Predicate,
}

/// Something with a digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resource {
    /// Its name; for people.
    pub name: String,
    /// Where it is, where that is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub uri: Option<String>,
    /// Digests by algorithm.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub digest: BTreeMap<String, String>,
    /// Its media type, where that is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub media_type: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Predicate {
    build_definition: BuildDefinition,
    run_details: RunDetails,
}

/// What was asked, of what, and with what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BuildDefinition {
    build_type: String,
    external_parameters: Value,
    internal_parameters: Value,
    resolved_dependencies: Vec<Resource>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct RunDetails {
    builder: Builder,
    metadata: Metadata,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Builder {
    id: String,
    version: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    invocation_id: String,
    started_on: Timestamp,
    finished_on: Timestamp,
}

/// The name of the GLB from which the files were converted.
const SOURCE_GLB: &str = "source.glb";
/// The name of what was sampled for an earlier job, from which the files were decoded.
const SOURCE_LATENTS: &str = "source.safetensors";
/// What the record of the kernels that were chosen is called.
const TUNING: &str = "flex-gemm.json";
/// The backend that converts, and whose source is a GLB.
const CONVERTER: &str = "export";

/// A file that a statement is to be about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Its name.
    pub name: String,
    /// The digest of its bytes.
    pub sha256: Sha256,
    /// Its media type.
    pub media_type: String,
}

/// The one run that made the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its name: the job's.
    pub id: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it was done.
    pub finished_at: Timestamp,
}

impl Statement {
    /// The media type of a statement that is not signed.
    pub const MEDIA_TYPE: &str = "application/vnd.in-toto+json";
    /// The ending of a file that holds one.
    pub const ENDING: &str = "intoto.json";

    /// States that `run` made the files from what `provenance` names.
    pub fn new(subjects: &[Subject], provenance: &Provenance, run: &Run) -> Self {
        let subject = subjects.iter().map(|file| Resource {
            media_type: Some(file.media_type.clone()),
            ..with_sha256(&file.name, file.sha256)
        });
        let version = BTreeMap::from([("trellis-server".to_owned(), provenance.server.version.clone())]);
        Self {
            kind: "https://in-toto.io/Statement/v1".to_owned(),
            subject: subject.collect(),
            predicate_type: "https://slsa.dev/provenance/v1".to_owned(),
            predicate: Predicate {
                build_definition: BuildDefinition::of(provenance),
                run_details: RunDetails {
                    builder: Builder {
                        id: BUILDER.to_owned(),
                        version,
                    },
                    metadata: Metadata {
                        invocation_id: run.id.clone(),
                        started_on: run.started_at,
                        finished_on: run.finished_at,
                    },
                },
            },
        }
    }

    /// As it is written and signed.
    ///
    /// # Panics
    /// Never: texts, maps with texts as keys and numbers are JSON.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts, maps with texts as keys, and numbers that JSON has")
    }

    /// Whether it is about a file with that digest.
    pub fn is_about(&self, sha256: Sha256) -> bool {
        self.subject.iter().any(|file| file.sha256() == Some(sha256))
    }

    /// Whether it says of how the files came to be what `provenance` says.
    pub fn agrees_with(&self, provenance: &Provenance) -> bool {
        self.provenance().as_ref() == Some(provenance)
    }

    /// The record that it was made of: what a file with no place for it cannot say of itself. `None` where
    /// the statement is of another kind than [`Statement::new`] makes.
    pub fn provenance(&self) -> Option<Provenance> {
        let run = &self.predicate.run_details;
        let version = run.builder.version.get("trellis-server")?;
        self.predicate.build_definition.provenance(version)
    }
}

impl BuildDefinition {
    /// What [`BuildDefinition::of`] was given.
    fn provenance(&self, version: &str) -> Option<Provenance> {
        let used = |name: &str| self.resolved_dependencies.iter().find(|used| used.name == name);
        let asked = |name: &str| self.external_parameters.get(name).cloned();
        let inputs = (0..).map_while(|index: u32| used(&format!("input/{index}"))?.sha256());
        let python_env = match used("python-env") {
            None => None,
            Some(env) => Some(PythonEnv {
                versions: serde_json::from_value(self.internal_parameters.get("versions")?.clone()).ok()?,
                pin: env.pin(),
            }),
        };
        let gpu = self.internal_parameters.get("gpu");
        let variant = self.internal_parameters.get("variant").cloned();
        (self.build_type == BUILD_TYPE).then_some(Provenance {
            schema: Schema,
            inputs: inputs.collect(),
            source: used(SOURCE_GLB)
                .or_else(|| used(SOURCE_LATENTS))
                .and_then(Resource::sha256),
            name: asked("name").map(serde_json::from_value).transpose().ok()?,
            params: serde_json::from_value(asked("params")?).ok()?,
            backend: serde_json::from_value(asked("backend")?).ok()?,
            variant: variant.map(serde_json::from_value).transpose().ok()?,
            server: ServerBuild {
                version: version.to_owned(),
                pin: used("trellis-server")?.pin(),
            },
            python_env,
            model_lock: used("trellis-model.lock.json").and_then(Resource::sha256),
            tuning: used(TUNING).and_then(Resource::sha256),
            gpu: gpu.cloned().map(serde_json::from_value).transpose().ok()?,
            non_commercial: match self.internal_parameters.get("non_commercial") {
                None => Vec::new(),
                Some(named) => serde_json::from_value(named.clone()).ok()?,
            },
        })
    }

    fn of(provenance: &Provenance) -> Self {
        let mut used: Vec<Resource> = (0..)
            .zip(&provenance.inputs)
            .map(|(index, sha256): (u32, _)| with_sha256(&format!("input/{index}"), *sha256))
            .collect();
        used.extend(
            provenance
                .model_lock
                .map(|sha256| with_sha256("trellis-model.lock.json", sha256)),
        );
        used.extend(provenance.tuning.map(|sha256| with_sha256(TUNING, sha256)));
        let source = if provenance.backend == CONVERTER {
            SOURCE_GLB
        } else {
            SOURCE_LATENTS
        };
        used.extend(provenance.source.map(|sha256| with_sha256(source, sha256)));
        used.push(pinned("trellis-server", &provenance.server.pin));
        let python = provenance.python_env.as_ref();
        used.extend(python.map(|env| pinned("python-env", &env.pin)));
        let mut internal = json!({});
        if let Some(gpu) = &provenance.gpu {
            internal["gpu"] = json!(gpu);
        }
        if !provenance.non_commercial.is_empty() {
            internal["non_commercial"] = json!(provenance.non_commercial);
        }
        if let Some(env) = python {
            internal["versions"] = json!(env.versions);
        }
        if let Some(variant) = &provenance.variant {
            internal["variant"] = json!(variant);
        }
        let mut external = json!({ "backend": provenance.backend, "params": provenance.params });
        if let Some(name) = &provenance.name {
            external["name"] = json!(name);
        }
        Self {
            build_type: BUILD_TYPE.to_owned(),
            external_parameters: external,
            internal_parameters: internal,
            resolved_dependencies: used,
        }
    }
}

fn with_sha256(name: &str, sha256: Sha256) -> Resource {
    Resource {
        name: name.to_owned(),
        uri: None,
        digest: BTreeMap::from([("sha256".to_owned(), sha256.to_string())]),
        media_type: None,
    }
}

impl Resource {
    fn sha256(&self) -> Option<Sha256> {
        self.digest.get("sha256")?.parse().ok()
    }

    /// What [`pinned`] was given.
    fn pin(&self) -> Pin {
        match self.uri.as_ref().and_then(|uri| uri.strip_prefix("file://")) {
            Some(store_path) => Pin::Nix {
                store_path: store_path.to_owned(),
                nar_hash: self.digest.get("narHash").cloned(),
            },
            None => Pin::Unpinned {
                sha256: self.sha256(),
            },
        }
    }
}

/// A store path by its place and NAR hash; without Nix, whatever is known.
fn pinned(name: &str, pin: &Pin) -> Resource {
    let (uri, digest) = match pin {
        Pin::Nix { store_path, nar_hash } => (
            Some(format!("file://{store_path}")),
            nar_hash.as_ref().map(|hash| ("narHash", hash.clone())),
        ),
        Pin::Unpinned { sha256 } => (None, sha256.map(|sha256| ("sha256", sha256.to_string()))),
    };
    Resource {
        name: name.to_owned(),
        uri,
        digest: digest
            .into_iter()
            .map(|(algorithm, value)| (algorithm.to_owned(), value))
            .collect(),
        media_type: None,
    }
}

#[cfg(test)]
pub(crate) mod tests;
