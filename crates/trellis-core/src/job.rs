//! A job: pictures and parameters that somebody submitted, and what came of them.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    Artifact, AssetName, Failure, Input, JobId, JobState, JobWebhook, Model, Params, Priority, Progress,
    Provenance, Sha256, StatementFile, Timings, TraceParent, UnknownName, named,
};

named! {
    /// Which backend a job is for: what its client asked for, or `export`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
    #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
    pub enum BackendChoice: "a backend" {
        /// The best one that the server has when the job is claimed.
        #[default]
        Auto = "auto",
        /// TRELLIS on a GPU; the job waits until there is one.
        Trellis = "trellis",
        /// The embedded preview from the outline, on the CPU.
        Relief = "relief",
        /// None of them: the files are converted from an earlier job's GLB. Of exports alone.
        Export = "export",
    }
}

named! {
    /// Which backend a client asks for.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
    #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
    pub enum AskedBackend: "a backend" {
        /// The best one that the server has when the job is claimed.
        #[default]
        Auto = "auto",
        /// TRELLIS on a GPU; the job waits until there is one.
        Trellis = "trellis",
        /// The embedded preview from the outline, on the CPU.
        Relief = "relief",
    }
}

impl From<AskedBackend> for BackendChoice {
    fn from(asked: AskedBackend) -> Self {
        match asked {
            AskedBackend::Auto => Self::Auto,
            AskedBackend::Trellis => Self::Trellis,
            AskedBackend::Relief => Self::Relief,
        }
    }
}

/// Who may make a job: the backend that it asks for, and the model. Stores find waiting jobs by its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Demand {
    backend: BackendChoice,
    model: Model,
}

impl Demand {
    /// Of a job that asks for this backend and this model. An export runs no model.
    pub fn new(backend: BackendChoice, model: Model) -> Self {
        let model = match backend {
            BackendChoice::Export => Model::DEFAULT,
            BackendChoice::Auto | BackendChoice::Trellis | BackendChoice::Relief => model,
        };
        Self { backend, model }
    }

    /// The backend.
    pub fn backend(self) -> BackendChoice {
        self.backend
    }

    /// The model.
    pub fn model(self) -> Model {
        self.model
    }

    /// Each one there is.
    pub fn all() -> Vec<Self> {
        let pairs = BackendChoice::ALL
            .into_iter()
            .flat_map(|backend| Model::ALL.map(|model| Self::new(backend, model)));
        let mut all = Vec::new();
        for demand in pairs {
            if !all.contains(&demand) {
                all.push(demand);
            }
        }
        all
    }
}

/// For the model that jobs had before there were several.
impl From<BackendChoice> for Demand {
    fn from(backend: BackendChoice) -> Self {
        Self::new(backend, Model::DEFAULT)
    }
}

/// `auto`, or with another model `auto/trellis2-4b`.
impl fmt::Display for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.backend.name())?;
        if self.model != Model::DEFAULT {
            write!(f, "/{}", self.model.name())?;
        }
        Ok(())
    }
}

impl FromStr for Demand {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let (backend, model) = match text.split_once('/') {
            None => (text, Model::DEFAULT),
            Some((backend, model)) => (backend, model.parse()?),
        };
        Ok(Self::new(backend.parse()?, model))
    }
}

/// The file of an earlier job from which an export's files are made: its GLB, which is converted, or what was sampled for
/// it, which TRELLIS decodes again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Source {
    /// The earlier job, which may be gone by now.
    pub job: JobId,
    /// The file's name there, such as `model.glb`.
    pub artifact: String,
    /// SHA-256 of its bytes, 64 lower-case hexadecimal digits.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub sha256: Sha256,
    /// Which backend made it; `relief` is a preview from the outline, not TRELLIS.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub made_by: Option<String>,
    /// Of what was sampled: a digest of the Python environment and the model that alone can decode it, 64 lower-case
    /// hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub decoder: Option<Sha256>,
}

/// What was sampled for a job and is kept for a while beside its files; not one of its artifacts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LatentsFile {
    /// Its size in bytes.
    pub size_bytes: u64,
}

/// One change of a job's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Transition {
    /// The state entered.
    pub state: JobState,
    /// When.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
    /// The attempt it belongs to, 0 before the first.
    pub attempt: u32,
}

/// A job as stored and as shown to clients.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Job {
    /// Its name.
    pub id: JobId,
    /// Whose it is: the name of an API key. Only keys with the scope `admin` are told.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub owner: Option<String>,
    /// Where it stands.
    pub state: JobState,
    /// What people call it: the name that it was given, or else its first picture's. Its files keep the picture's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<AssetName>,
    /// Which backend was asked for.
    pub backend: BackendChoice,
    /// Its priority among the jobs of its API key.
    #[serde(default)]
    pub priority: Priority,
    /// Which backend made the result, once it is known; `relief` is a preview from the outline, not TRELLIS.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub made_by: Option<String>,
    /// What the files are made from, where this is an export: a GLB, or what was sampled for an earlier job.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub source: Option<Source>,
    /// What was asked, with defaults filled in and the seed chosen.
    pub params: Params,
    /// The submitted pictures; more than one are views of one object. Where a mesh is to be textured, it comes last.
    pub inputs: Vec<Input>,
    /// The finished files.
    pub artifacts: Vec<Artifact>,
    /// The path of a small picture of it, where it was given one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub thumbnail: Option<String>,
    /// What made them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub provenance: Option<Provenance>,
    /// The statement about them, fetched from `/v1/jobs/{id}/statement`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub statement: Option<StatementFile>,
    /// What was sampled for it, while that is kept: `POST /v1/jobs/{id}/exports` then makes files of it with another
    /// texture or simplification, without sampling.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub latents: Option<LatentsFile>,
    /// What making it took; absent where the result was made for an earlier job.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub timings: Option<Timings>,
    /// Whether the result was made for an earlier job that asked the same.
    #[serde(default)]
    pub cached: bool,
    /// How far it is, while it runs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub progress: Option<Progress>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failure: Option<Failure>,
    /// Why no server can do it now, and what to do, while it waits for one. It fails with this kind after
    /// `limits.no_server_hours`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub waits_for: Option<Failure>,
    /// What a person should know of the result, such as a picture that was not used.
    pub notes: Vec<String>,
    /// The trace that it belongs to: the `traceparent` of its submission.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, pattern = "^00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-3]$"))]
    pub traceparent: Option<TraceParent>,
    /// Who is told of it, and whether that was told how the job ended.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub webhook: Option<JobWebhook>,
    /// How often it was started.
    pub attempt: u32,
    /// When it was accepted.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created_at: Timestamp,
    /// When anything last changed.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub updated_at: Timestamp,
    /// Each change of state, oldest first.
    pub history: Vec<Transition>,
}

impl Job {
    /// Who may make it.
    pub fn demand(&self) -> Demand {
        Demand::new(self.backend, self.params.model.model())
    }

    /// Whether it textures a mesh.
    pub fn textures_a_mesh(&self) -> bool {
        self.inputs.iter().any(Input::is_mesh)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_demanded_is_read_as_it_is_written() {
        let texts: Vec<String> = Demand::all().iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "auto",
                "auto/trellis2-4b",
                "trellis",
                "trellis/trellis2-4b",
                "relief",
                "relief/trellis2-4b",
                "export"
            ]
        );
        for demand in Demand::all() {
            assert_eq!(demand.to_string().parse(), Ok(demand));
        }
        assert!("auto/trellis-9".parse::<Demand>().is_err());
        assert!("auto/".parse::<Demand>().is_err());
    }
}
