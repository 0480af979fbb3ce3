//! The backends that there are, and which of them a job goes to.
//!
//! One rule serves refusal, the result cache and claims ([`Registry::route`]): a job that names a backend goes
//! to that one; `auto` goes to the best backend that is not unavailable, and waits for it while it starts.
//! A job whose formats that backend does not make is handed on to the next one that makes them.

use std::fmt;
use std::sync::Arc;

use trellis_core::{AskedBackend, BackendChoice, Failure, FailureKind, Format};

use crate::{Backend, Readiness};

/// All backends, the best first.
#[derive(Clone)]
pub struct Registry {
    backends: Vec<Arc<dyn Backend>>,
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
        Self { backends }
    }

    /// All of them, the best first.
    pub fn all(&self) -> &[Arc<dyn Backend>] {
        &self.backends
    }

    /// Where a job of that choice goes that asks for these formats.
    pub fn route(&self, choice: BackendChoice, formats: &[Format]) -> Route {
        let Some(holder) = self.holder(choice) else {
            return Route::Never(self.not_here(choice));
        };
        let allowed: Vec<&Arc<dyn Backend>> = match choice {
            BackendChoice::Auto => self.backends.iter().collect(),
            BackendChoice::Trellis | BackendChoice::Relief | BackendChoice::Export => vec![holder],
        };
        let able = || {
            allowed
                .iter()
                .filter(|backend| lacking(backend, formats).is_none())
        };
        let Some(best) = able().next() else {
            return Route::Never(cannot_make(&allowed, formats));
        };
        let live = able().find(|backend| !matches!(backend.readiness(), Readiness::Unavailable { .. }));
        let maker = Arc::clone(live.unwrap_or(best));
        match (maker.readiness(), holder.readiness()) {
            (Readiness::Unavailable { failure }, _) => Route::Never(failure),
            (Readiness::Ready, Readiness::Ready) => Route::Now(maker),
            _ => Route::Wait(maker),
        }
    }

    /// The choices whose jobs a backend claims while it is ready. Jobs that it does not make itself it hands
    /// to the backend that [`Self::route`] names.
    pub fn claims(&self, backend: &dyn Backend) -> Vec<BackendChoice> {
        let holds = |choice: &BackendChoice| {
            self.holder(*choice)
                .is_some_and(|holder| holder.choice() == backend.choice())
        };
        if backend.choice() == BackendChoice::Export {
            return vec![BackendChoice::Export];
        }
        let asked = AskedBackend::ALL.map(BackendChoice::from);
        asked.into_iter().filter(holds).collect()
    }

    /// Why a job goes to this backend and to none of the better ones, one sentence.
    pub fn reason(&self, choice: BackendChoice, formats: &[Format], taken: &Arc<dyn Backend>) -> String {
        if choice != BackendChoice::Auto {
            return format!("`{choice}` was asked for");
        }
        if self.backends.len() == 1 {
            return format!("`{}` is the only backend here", name(taken));
        }
        let better = self
            .backends
            .iter()
            .take_while(|backend| !Arc::ptr_eq(backend, taken));
        let passed: Vec<String> = better
            .map(|backend| match (lacking(backend, formats), backend.readiness()) {
                (Some(format), _) => format!("`{}` does not make `{format}`", name(backend)),
                (None, Readiness::Unavailable { failure }) => {
                    format!("`{}` is not available: {}", name(backend), failure.message)
                }
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

    /// The backend whose slots claim the jobs of a choice.
    fn holder(&self, choice: BackendChoice) -> Option<&Arc<dyn Backend>> {
        let mut all = self.backends.iter();
        match choice {
            BackendChoice::Auto => all
                .find(|backend| !matches!(backend.readiness(), Readiness::Unavailable { .. }))
                .or(self.backends.first()),
            BackendChoice::Trellis | BackendChoice::Relief | BackendChoice::Export => {
                all.find(|backend| backend.choice() == choice)
            }
        }
    }

    fn not_here(&self, choice: BackendChoice) -> Failure {
        let names: Vec<String> = self
            .backends
            .iter()
            .map(|backend| format!("`{}`", name(backend)))
            .collect();
        let message = if names.is_empty() {
            "no backend is enabled here".to_owned()
        } else {
            format!(
                "the backend `{choice}` is not available here, only {}",
                names.join(", ")
            )
        };
        Failure::new(FailureKind::Unsupported, message)
    }
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
