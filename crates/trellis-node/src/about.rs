//! What a server says of itself to those that share its job store. Kept as JSON and read by other versions: a field that is
//! added later has a default.

use serde::{Deserialize, Serialize};
use trellis_backend::{Backend, Origin, Readiness};
use trellis_core::{BackendChoice, Failure, Format, Model, Sha256, WorkerStatus};
use trellis_jobs::Ability;

use crate::ability::Abilities;
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
    /// What is said of a backend that is here.
    pub(crate) fn of(backend: &dyn Backend, origin: &Origin, abilities: &Abilities) -> Self {
        let (standing, reason, failure) = match backend.readiness() {
            Readiness::Ready => (Standing::Ready, String::new(), None),
            // The second is never said of a backend that is here.
            Readiness::Starting { reason } | Readiness::Absent { reason } => {
                (Standing::Starting, reason, None)
            }
            Readiness::Unavailable { failure } => (Standing::Unavailable, String::new(), Some(failure)),
        };
        let mut ability = abilities.of(backend);
        let formats = ability.formats.iter_mut();
        let later_formats = formats
            .flat_map(|all| all.extract_if(.., |format| *format == Format::Vxz))
            .collect();
        Self {
            choice: backend.choice(),
            model: backend.model(),
            standing,
            reason,
            failure,
            identity: origin.identity(backend),
            ability,
            later_formats,
            decoder: backend.model().map(|model| origin.decoder(model)),
            workers: backend.workers(),
        }
    }

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

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use trellis_backend::{Others, Registry};

    use super::*;
    use crate::backends::anywhere;
    use crate::installation;
    use crate::roster::Roster;

    /// The formats whose names every version reads.
    const EARLIER: [&str; 7] = ["glb", "obj", "voxels", "stl", "ply", "gaussian_ply", "turntable"];

    #[test]
    fn formats_that_earlier_versions_cannot_read_are_announced_apart() {
        let others: Arc<dyn Others> = Arc::new(Roster::of("me", Vec::new()));
        let here = anywhere(&Registry::new(Vec::new()), &others);
        let origin = Origin::new(installation::find(Path::new(""), Path::new(""), None), None);
        let abilities = Abilities::new(here.clone(), &origin, Vec::new(), true);
        let mut later = Vec::new();
        for backend in here.all() {
            let able = abilities.of(backend.as_ref());
            let offer = serde_json::to_value(Offer::of(backend.as_ref(), &origin, &abilities)).unwrap();
            for format in offer["ability"]["formats"].as_array().unwrap() {
                assert!(EARLIER.contains(&format.as_str().unwrap()), "{offer}");
            }
            // This version reads all of them.
            let read: Offer = serde_json::from_value(offer).unwrap();
            later.extend(read.later_formats.clone());
            let sorted = |ability: Ability| {
                let mut formats = ability.formats.unwrap();
                formats.sort();
                formats
            };
            assert_eq!(sorted(read.whole_ability()), sorted(able));
        }
        assert_eq!(later, [Format::Vxz], "TRELLIS.2 makes it");
    }
}
