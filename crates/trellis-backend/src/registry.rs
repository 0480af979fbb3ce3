//! The backends that there are, and which of them a job goes to.
//!
//! One rule serves refusal, the result cache and claims ([`Registry::route`]): a job goes to a backend that runs its
//! model. One that names a backend goes to that one; `auto` goes to the best backend that is not unavailable, and
//! waits for it while it starts. A job whose formats that backend does not make is handed on to the next one that
//! makes them. A preview stands in for a model that this server has and cannot run now, never for one that it has not. Of
//! servers that share a store, a backend that none of them has now may still come: its jobs wait.

use std::fmt;
use std::sync::Arc;

use trellis_core::{BackendChoice, Demand, Failure, FailureKind, Format, Model};

use crate::{Backend, Readiness};

/// All backends, the best first.
#[derive(Clone)]
pub struct Registry {
    backends: Vec<Arc<dyn Backend>>,
    default_model: Model,
}

/// Where a job goes.
#[derive(Clone)]
pub enum Route {
    /// This backend can work on it now.
    Now(Arc<dyn Backend>),
    /// This backend will work on it, once it has started.
    Wait(Arc<dyn Backend>),
    /// No backend here ever will ([`FailureKind::Unsupported`]), or none before somebody acts.
    Never(Failure),
}

impl Route {
    /// The backend that the job goes to.
    pub fn backend(self) -> Result<Arc<dyn Backend>, Failure> {
        match self {
            Self::Now(backend) | Self::Wait(backend) => Ok(backend),
            Self::Never(failure) => Err(failure),
        }
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.backends.iter().map(name)).finish()
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now(backend) => write!(f, "Now({})", name(backend)),
            Self::Wait(backend) => write!(f, "Wait({})", name(backend)),
            Self::Never(failure) => write!(f, "Never({})", failure.message),
        }
    }
}

impl Registry {
    /// A registry of these; backends that make real results go before previews, else the order is kept.
    pub fn new(mut backends: Vec<Arc<dyn Backend>>) -> Self {
        backends.sort_by_key(|backend| backend.capabilities().preview);
        let default_model = backends.iter().find_map(|backend| backend.model());
        Self {
            backends,
            default_model: default_model.unwrap_or(Model::DEFAULT),
        }
    }

    /// With this model for jobs that name none; else it is the first backend's.
    #[must_use]
    pub fn with_default_model(self, default_model: Model) -> Self {
        Self {
            default_model,
            ..self
        }
    }

    /// The model of jobs that name none.
    pub fn default_model(&self) -> Model {
        self.default_model
    }

    /// All of them, the best first.
    pub fn all(&self) -> &[Arc<dyn Backend>] {
        &self.backends
    }

    /// Where a job goes that demands this and asks for these formats.
    pub fn route(&self, demand: impl Into<Demand>, formats: &[Format]) -> Route {
        let demand = demand.into();
        let Some(holder) = self.holder(demand) else {
            return Route::Never(self.not_here(demand));
        };
        let allowed: Vec<&Arc<dyn Backend>> = match demand.backend() {
            BackendChoice::Auto if !self.lacks(demand.model()) => self.running(demand.model()).collect(),
            _ => vec![holder],
        };
        let able = || {
            allowed
                .iter()
                .filter(|backend| lacking(backend, formats).is_none())
        };
        let Some(best) = able().next() else {
            return Route::Never(cannot_make(&allowed, formats));
        };
        let live = able().find(|backend| backend.readiness().may_work());
        let maker = Arc::clone(live.unwrap_or(best));
        match (maker.readiness(), holder.readiness()) {
            (Readiness::Unavailable { failure }, _) => Route::Never(failure),
            (Readiness::Ready, Readiness::Ready) => Route::Now(maker),
            _ => Route::Wait(maker),
        }
    }

    /// The jobs that a backend claims while it is ready. Those that it does not make itself it hands to the backend
    /// that [`Self::route`] names.
    pub fn claims(&self, backend: &dyn Backend) -> Vec<Demand> {
        if backend.choice() == BackendChoice::Export {
            return vec![BackendChoice::Export.into()];
        }
        let same = |holder: &Arc<dyn Backend>| {
            (holder.choice(), holder.model()) == (backend.choice(), backend.model())
        };
        let holds = |demand: &Demand| self.holder(*demand).is_some_and(same);
        Demand::all().into_iter().filter(holds).collect()
    }

    /// Why a job goes to this backend and to none of the better ones, one sentence.
    pub fn reason(&self, demand: impl Into<Demand>, formats: &[Format], taken: &Arc<dyn Backend>) -> String {
        let demand = demand.into();
        let choice = demand.backend();
        if choice != BackendChoice::Auto {
            return format!("`{choice}` was asked for");
        }
        if self.backends.len() == 1 {
            return format!("`{}` is the only backend here", name(taken));
        }
        let better = self
            .running(demand.model())
            .take_while(|backend| !Arc::ptr_eq(backend, taken));
        let passed: Vec<String> = better
            .map(|backend| match (lacking(backend, formats), backend.readiness()) {
                (Some(format), _) => format!("`{}` does not make `{format}`", name(backend)),
                (None, Readiness::Unavailable { failure }) => {
                    format!("`{}` is not available: {}", name(backend), failure.message)
                }
                (None, Readiness::Absent { reason }) => reason,
                (None, Readiness::Ready | Readiness::Starting { .. }) => {
                    format!("`{}` was not available", name(backend))
                }
            })
            .collect();
        if passed.is_empty() {
            return format!("`{}` is the best backend here", name(taken));
        }
        passed.join("; ")
    }

    /// The backend whose slots claim the jobs that demand this; `None`: there is none.
    pub fn holder(&self, demand: Demand) -> Option<&Arc<dyn Backend>> {
        let mut able = self.running(demand.model());
        match demand.backend() {
            BackendChoice::Auto if self.lacks(demand.model()) => able.find(|backend| is_absent(backend)),
            BackendChoice::Auto => able
                .find(|backend| backend.readiness().may_work())
                .or_else(|| self.running(demand.model()).next()),
            choice @ (BackendChoice::Trellis | BackendChoice::Relief | BackendChoice::Export) => {
                able.find(|backend| backend.choice() == choice)
            }
        }
    }

    /// The backends that run this model, the best first.
    fn running(&self, model: Model) -> impl Iterator<Item = &Arc<dyn Backend>> {
        let all = self.backends.iter();
        all.filter(move |backend| backend.model().is_none_or(|run| run == model))
    }

    /// Whether nothing but a preview could be made for this model, and that was not meant: without any real backend
    /// the preview is what this server is for.
    fn lacks(&self, model: Model) -> bool {
        self.running(model).find(|backend| is_real(backend)).is_none()
            && (model != self.default_model || self.backends.iter().any(is_real))
    }

    fn not_here(&self, demand: Demand) -> Failure {
        let (choice, model) = (demand.backend(), demand.model());
        let unsupported = |message| Failure::new(FailureKind::Unsupported, message);
        let chosen = self.backends.iter().filter(|backend| {
            let all = choice == BackendChoice::Auto;
            (all || backend.choice() == choice) && is_real(backend)
        });
        let run: Vec<String> = chosen
            .filter_map(|backend| backend.model())
            .map(|model| format!("`{}`", model.name()))
            .collect();
        if !run.is_empty() {
            let run = run.join(" and ");
            return unsupported(format!("this server does not run `{}`, only {run}", model.name()));
        }
        let names: Vec<String> = self
            .backends
            .iter()
            .map(|backend| format!("`{}`", name(backend)))
            .collect();
        unsupported(if names.is_empty() {
            "no backend is enabled here".to_owned()
        } else if choice == BackendChoice::Auto {
            format!(
                "this server does not run `{}`, it has only {}",
                model.name(),
                names.join(", ")
            )
        } else {
            format!(
                "the backend `{choice}` is not available here, only {}",
                names.join(", ")
            )
        })
    }
}

/// Whether it is more than a preview, and somewhere: of several servers, none may have it.
fn is_real(backend: &Arc<dyn Backend>) -> bool {
    !backend.capabilities().preview && !is_absent(backend)
}

fn is_absent(backend: &Arc<dyn Backend>) -> bool {
    matches!(backend.readiness(), Readiness::Absent { .. })
}

fn name(backend: &Arc<dyn Backend>) -> &'static str {
    backend.capabilities().name
}

fn makes(backend: &Arc<dyn Backend>, format: Format) -> bool {
    backend.capabilities().formats.contains(&format)
}

/// The first of the formats that a backend does not make.
fn lacking(backend: &Arc<dyn Backend>, formats: &[Format]) -> Option<Format> {
    formats.iter().copied().find(|format| !makes(backend, *format))
}

/// None of the backends makes all of the formats.
fn cannot_make(backends: &[&Arc<dyn Backend>], formats: &[Format]) -> Failure {
    let nobody_makes = |format: &&Format| backends.iter().all(|backend| !makes(backend, **format));
    let asked = match formats.iter().find(nobody_makes) {
        Some(format) => format!("`{format}` cannot be made here"),
        None => format!("{} cannot be made together here", listed(formats)),
    };
    let made: Vec<String> = backends
        .iter()
        .map(|backend| {
            format!(
                "`{}` makes {}",
                name(backend),
                listed(&backend.capabilities().formats)
            )
        })
        .collect();
    Failure::new(FailureKind::Unsupported, format!("{asked}: {}", made.join("; ")))
}

fn listed(formats: &[Format]) -> String {
    let names: Vec<String> = formats.iter().map(|format| format!("`{format}`")).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests;
