//! The backends that this machine has, by the settings.

use std::path::Path;
use std::sync::Arc;

use trellis_backend::{Anywhere, Backend, Others, Registry, ReliefBackend, ReliefSettings};
use trellis_core::{AskedBackend, BackendChoice};
use trellis_supervisor::{LaunchSettings, Limits, SupervisorSettings, TrellisBackend};

use crate::{NodeError, Settings, nearby};

/// The backends, and the one of them that keeps processes.
pub struct Backends {
    /// All of them, the best first.
    pub registry: Registry,
    /// TRELLIS, which is shut down after its last job.
    pub trellis: Option<Arc<TrellisBackend>>,
    /// What makes previews of the jobs of real backends, where they are wanted.
    pub previews: Option<Arc<dyn Backend>>,
}

impl Backends {
    /// Of a server that works on no job.
    pub(crate) fn none() -> Self {
        Self {
            registry: Registry::new(Vec::new()),
            trellis: None,
            previews: None,
        }
    }
}

/// The backends of all servers, seen from the one that has those in `here`.
pub(crate) fn anywhere(here: &Registry, others: &Arc<dyn Others>) -> Registry {
    let relief = ReliefBackend::new(ReliefSettings::default());
    let kinds = [
        (BackendChoice::Trellis, trellis_supervisor::capabilities(1)),
        (BackendChoice::Relief, relief.capabilities().clone()),
    ];
    let all = kinds.map(|(choice, capabilities)| -> Arc<dyn Backend> {
        let of_choice = here.all().iter().find(|backend| backend.choice() == choice);
        let others = others.clone();
        Arc::new(Anywhere::new(choice, capabilities, of_choice.cloned(), others))
    });
    Registry::new(all.into())
}

/// Starts every backend that `choice` leaves. TRELLIS is there where a model folder is named, and loads in
/// the background; `state` is a folder of its own that lasts.
pub async fn start(settings: &Settings, choice: AskedBackend, state: &Path) -> Result<Backends, NodeError> {
    let relief: Arc<dyn Backend> = Arc::new(ReliefBackend::new(ReliefSettings {
        max_pixels: settings.limits.pixels,
        ..ReliefSettings::default()
    }));
    let trellis = match choice {
        AskedBackend::Relief => None,
        AskedBackend::Auto if settings.trellis.model.as_os_str().is_empty() => None,
        AskedBackend::Auto | AskedBackend::Trellis => Some(start_trellis(settings, state).await?),
    };
    let previews = (trellis.is_some() && settings.trellis.preview).then(|| Arc::clone(&relief));
    let mut all: Vec<Arc<dyn Backend>> = Vec::new();
    if let Some(trellis) = &trellis {
        all.push(Arc::clone(trellis) as Arc<dyn Backend>);
    }
    if choice != AskedBackend::Trellis {
        all.push(relief);
    }
    Ok(Backends {
        registry: Registry::new(all),
        trellis,
        previews,
    })
}

/// Refuses a model folder that is named and not there, with what is there instead.
pub fn check_model_folder(model: &Path) -> Result<(), NodeError> {
    match nearby::missing(model) {
        None => Ok(()),
        Some(meant) => Err(NodeError::ModelMissing {
            path: model.to_owned(),
            meant,
        }),
    }
}

async fn start_trellis(settings: &Settings, state: &Path) -> Result<Arc<TrellisBackend>, NodeError> {
    let wanted = &settings.trellis;
    if wanted.model.as_os_str().is_empty() {
        return Err(NodeError::NoModel);
    }
    let supervisor = SupervisorSettings {
        launch: LaunchSettings {
            python: wanted.python.clone(),
            // Relative where there is no current folder: the worker's start then says so.
            model: std::path::absolute(&wanted.model).unwrap_or_else(|_| wanted.model.clone()),
            torch_home: None,
            u2net_home: None,
            state: state.to_owned(),
            defaults: settings.defaults(),
            low_vram: wanted.low_vram,
            warm_up: wanted.warm_up,
        },
        gpus: wanted.gpus.clone(),
        limits: Limits {
            patience: f64::from(wanted.patience_percent) / 100.0,
            max_pixels: settings.limits.pixels,
            ..Limits::default()
        },
    };
    Ok(TrellisBackend::start(supervisor).await?)
}
