//! What a server says of itself to those that share its job store. Kept as JSON and read by other versions: a field that is
//! added later has a default.

use serde::{Deserialize, Serialize};
use trellis_core::{BackendChoice, Failure, Format, Model, Sha256, WorkerStatus};
use trellis_jobs::Ability;

use crate::settings::Role;

/// What a server says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Its part.
    pub role: Role,
    /// Its version.
    pub version: String,
    /// The machine's name.
    pub host: String,
    /// Whether it begins no job, because somebody wants that.
    #[serde(default)]
    pub rests: bool,
    /// Its backends.
    #[serde(default)]
    pub backends: Vec<Offer>,
}

/// A backend of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Which one.
    pub choice: BackendChoice,
    /// The model that it runs; earlier versions name none.
    #[serde(default)]
    pub model: Option<Model>,
    /// Whether it can work now.
    pub standing: Standing,
    /// What it is doing while it starts, one sentence.
    #[serde(default)]
    pub reason: String,
    /// Why it cannot.
    #[serde(default)]
    pub failure: Option<Failure>,
    /// Names all that makes its results; `None` where that is not known exactly.
    #[serde(default)]
    pub identity: Option<String>,
    /// What it can do; of earlier versions whatever is needed.
    #[serde(default)]
    pub ability: Ability,
    /// What else it makes: formats whose names earlier versions cannot read, which would then not see this server at all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub later_formats: Vec<Format>,
    /// Names what decodes there what was sampled, where it does that.
    #[serde(default)]
    pub decoder: Option<Sha256>,
    /// Its workers.
    #[serde(default)]
    pub workers: Vec<WorkerStatus>,
}

impl Offer {
    /// What it can do, formats of every version among them.
    pub fn whole_ability(self) -> Ability {
        let mut ability = self.ability;
        if let Some(formats) = &mut ability.formats {
            formats.extend(self.later_formats);
        }
        ability
    }

    /// The model that it runs.
    pub fn model(&self) -> Option<Model> {
        let runs_one = self.choice == BackendChoice::Trellis;
        runs_one.then(|| self.model.unwrap_or(Model::DEFAULT))
    }
}

/// [`Readiness`] as it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It can work.
    Ready,
    /// It will.
    Starting,
    /// It cannot until somebody acts.
    Unavailable,
}
