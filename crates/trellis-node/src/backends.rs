//! The backends that this machine has, by the settings.

use std::path::Path;
use std::sync::Arc;

use trellis_backend::{Anywhere, Backend, Others, Registry, ReliefBackend, ReliefSettings};
use trellis_core::{AskedBackend, BackendChoice, Model};
use trellis_gpu::GpuChoice;
use trellis_supervisor::{LaunchSettings, Limits, Shares, SupervisorSettings, TrellisBackend};

use crate::{NodeError, Settings, nearby};

/// The backends, and those of them that keep processes.
pub struct Backends {
    /// All of them, the best first.
    pub registry: Registry,
    /// TRELLIS and TRELLIS.2, which are shut down after their last job.
    pub trellis: Vec<Arc<TrellisBackend>>,
    /// What makes previews of the jobs of real backends, where they are wanted.
    pub previews: Option<Arc<dyn Backend>>,
}

impl Backends {
    /// Of a server that works on no job.
    pub(crate) fn none() -> Self {
        Self {
            registry: Registry::new(Vec::new()),
            trellis: Vec::new(),
            previews: None,
        }
    }
}

/// The backends of all servers, seen from the one that has those in `here`.
pub(crate) fn anywhere(here: &Registry, others: &Arc<dyn Others>) -> Registry {
    let relief = ReliefBackend::new(ReliefSettings::default());
    let trellis = Model::ALL.map(|model| {
        let capabilities = trellis_supervisor::capabilities(model, 1);
        (BackendChoice::Trellis, Some(model), capabilities)
    });
    let relief = (BackendChoice::Relief, None, relief.capabilities().clone());
    let all = trellis.into_iter().chain([relief]);
    let all = all.map(|(choice, model, capabilities)| -> Arc<dyn Backend> {
        let same = |backend: &&Arc<dyn Backend>| (backend.choice(), backend.model()) == (choice, model);
        let one = here.all().iter().find(same);
        let others = others.clone();
        Arc::new(Anywhere::new(choice, model, capabilities, one.cloned(), others))
    });
    Registry::new(all.collect())
}

/// Starts every backend that `choice` leaves. A model is there where its folder is named, and loads in the
/// background; `state` is a folder of its own that lasts.
pub async fn start(settings: &Settings, choice: AskedBackend, state: &Path) -> Result<Backends, NodeError> {
    let relief: Arc<dyn Backend> = Arc::new(ReliefBackend::new(ReliefSettings {
        max_pixels: settings.limits.pixels,
        ..ReliefSettings::default()
    }));
    let named: Vec<LaunchSettings> = match choice {
        AskedBackend::Relief => Vec::new(),
        AskedBackend::Auto | AskedBackend::Trellis => launches(settings, state),
    };
    if choice == AskedBackend::Trellis && named.is_empty() {
        return Err(NodeError::NoModel);
    }
    let gpus_of = |launch: &LaunchSettings| match launch.runs {
        Model::TrellisImageLarge => settings.trellis.gpus.clone(),
        Model::Trellis2 => settings.trellis2.gpus.clone(),
    };
    let all_gpus: Vec<GpuChoice> = named.iter().map(gpus_of).collect();
    // Without them each worker counts on a GPU of its own.
    let shares = tokio::task::spawn_blocking(move || Shares::among(&all_gpus)).await;
    let shares = shares.unwrap_or_default();
    let mut trellis = Vec::new();
    for launch in named {
        let supervisor = SupervisorSettings {
            gpus: gpus_of(&launch),
            shares: shares.clone(),
            launch,
            limits: Limits {
                patience: f64::from(settings.trellis.patience_percent) / 100.0,
                max_pixels: settings.limits.pixels,
                ..Limits::default()
            },
        };
        trellis.push(TrellisBackend::start(supervisor).await?);
    }
    let previews = (!trellis.is_empty() && settings.trellis.preview).then(|| Arc::clone(&relief));
    let mut all: Vec<Arc<dyn Backend>> = Vec::new();
    for one in &trellis {
        all.push(Arc::clone(one) as Arc<dyn Backend>);
    }
    if choice != AskedBackend::Trellis {
        all.push(relief);
    }
    let registry = Registry::new(all);
    Ok(Backends {
        registry: match settings.default_model {
            Some(model) => registry.with_default_model(model),
            None => registry,
        },
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

/// How the models are started whose folders are named.
fn launches(settings: &Settings, state: &Path) -> Vec<LaunchSettings> {
    let (first, second) = (&settings.trellis, &settings.trellis2);
    let launch = |runs, model: &Path, python: &Path, low_vram| LaunchSettings {
        runs,
        python: python.to_owned(),
        // Relative where there is no current folder: the worker's start then says so.
        model: std::path::absolute(model).unwrap_or_else(|_| model.to_owned()),
        torch_home: None,
        u2net_home: None,
        state: state.to_owned(),
        defaults: settings.defaults(),
        low_vram,
        warm_up: first.warm_up,
    };
    let all = [
        (
            Model::TrellisImageLarge,
            &first.model,
            &first.python,
            first.low_vram,
        ),
        (Model::Trellis2, &second.model, &second.python, second.low_vram),
    ];
    all.into_iter()
        .filter(|(_, model, _, _)| !model.as_os_str().is_empty())
        .map(|(runs, model, python, low_vram)| launch(runs, model, python, low_vram))
        .collect()
}
