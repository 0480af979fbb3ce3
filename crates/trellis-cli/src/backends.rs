//! The backends that this machine has, by the settings.

use std::path::Path;
use std::sync::Arc;

use trellis_backend::{Backend, Registry, ReliefBackend, ReliefSettings};
use trellis_core::BackendChoice;
use trellis_supervisor::{LaunchSettings, Limits, SupervisorSettings, TrellisBackend};

use crate::config::Config;
use crate::exit::Stop;
use crate::nearby;

/// The backends, and the one of them that keeps processes.
pub(crate) struct Backends {
    pub(crate) registry: Registry,
    pub(crate) trellis: Option<Arc<TrellisBackend>>,
    /// What makes previews of the jobs of real backends, where they are wanted.
    pub(crate) previews: Option<Arc<dyn Backend>>,
}

/// Starts every backend that `choice` leaves. TRELLIS is there where a model folder is named, and loads in
/// the background; `state` is a folder of its own that lasts.
pub(crate) async fn start(config: &Config, choice: BackendChoice, state: &Path) -> Result<Backends, Stop> {
    let relief: Arc<dyn Backend> = Arc::new(ReliefBackend::new(ReliefSettings {
        max_pixels: config.limits.pixels,
        ..ReliefSettings::default()
    }));
    let trellis = match choice {
        BackendChoice::Relief => None,
        BackendChoice::Auto if config.trellis.model.as_os_str().is_empty() => None,
        BackendChoice::Auto | BackendChoice::Trellis => Some(start_trellis(config, state).await?),
    };
    let previews = (trellis.is_some() && config.trellis.preview).then(|| Arc::clone(&relief));
    let mut all: Vec<Arc<dyn Backend>> = Vec::new();
    if let Some(trellis) = &trellis {
        all.push(Arc::clone(trellis) as Arc<dyn Backend>);
    }
    if choice != BackendChoice::Trellis {
        all.push(relief);
    }
    Ok(Backends {
        registry: Registry::new(all),
        trellis,
        previews,
    })
}

/// Refuses a model folder that is named and not there, with what is there instead.
pub(crate) fn model_is_there(model: &Path) -> Result<(), Stop> {
    match nearby::missing(model) {
        None => Ok(()),
        Some(meant) => {
            Err(Stop::usage(format!("the model folder `{}` is not there", model.display())).hint(meant))
        }
    }
}

async fn start_trellis(config: &Config, state: &Path) -> Result<Arc<TrellisBackend>, Stop> {
    let wanted = &config.trellis;
    if wanted.model.as_os_str().is_empty() {
        return Err(
            Stop::usage("the backend `trellis` needs a model folder, and none is set").hint(
                "name it with `--model`, `$TRELLIS_MODEL_PATH` or `trellis.model` in the settings file",
            ),
        );
    }
    let settings = SupervisorSettings {
        launch: LaunchSettings {
            python: wanted.python.clone(),
            model: std::path::absolute(&wanted.model).map_err(Stop::not_started)?,
            torch_home: None,
            u2net_home: None,
            state: state.to_owned(),
            low_vram: wanted.low_vram,
            warm_up: wanted.warm_up,
        },
        gpus: wanted.gpus.parse().expect("it was checked with the settings"),
        limits: Limits {
            patience: f64::from(wanted.patience_percent) / 100.0,
            max_pixels: config.limits.pixels,
            ..Limits::default()
        },
    };
    let started = TrellisBackend::start(settings).await;
    started.map_err(|error| Stop::not_started(error).hint("make that folder one that this user can write to"))
}
