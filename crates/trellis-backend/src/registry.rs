//! The backends that there are, and which of them serves a request.
//!
//! `auto` takes the best that is ready and makes what is asked for; real results are better than previews.
//! Why it was taken is said in a sentence, for people.

use std::fmt;
use std::sync::Arc;

use trellis_core::{BackendChoice, Failure, FailureKind, Format};

use crate::{Backend, Readiness};

/// All backends, the best first.
#[derive(Clone)]
pub struct Registry {
    backends: Vec<Arc<dyn Backend>>,
}

/// A chosen backend.
#[derive(Clone)]
pub struct Chosen {
    /// The backend; ready, or starting if there was none ready.
    pub backend: Arc<dyn Backend>,
    /// Why it is this one, one sentence.
    pub reason: String,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.backends.iter().map(name)).finish()
    }
}

impl fmt::Debug for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = name(&self.backend);
        f.debug_struct("Chosen")
            .field("backend", &name)
            .field("reason", &self.reason)
            .finish()
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

    /// The backend for a request.
    ///
    /// Fails with [`FailureKind::Unsupported`] if none here will ever serve it, else with the reason why
    /// the one that would cannot now.
    pub fn choose(&self, choice: BackendChoice, formats: &[Format]) -> Result<Chosen, Failure> {
        match choice {
            BackendChoice::Auto => self.best(formats),
            BackendChoice::Trellis | BackendChoice::Relief => self.named(choice, formats),
        }
    }

    /// The choices whose jobs a backend takes: its own, and `auto` if it is the best that may work.
    pub fn choices_of(&self, backend: &dyn Backend) -> Vec<BackendChoice> {
        let best = self
            .backends
            .iter()
            .find(|backend| !matches!(backend.readiness(), Readiness::Unavailable { .. }))
            .or(self.backends.first());
        let is_best = best.is_some_and(|best| best.choice() == backend.choice());
        if is_best {
            return vec![BackendChoice::Auto, backend.choice()];
        }
        vec![backend.choice()]
    }

    fn named(&self, choice: BackendChoice, formats: &[Format]) -> Result<Chosen, Failure> {
        let found = self.backends.iter().find(|backend| backend.choice() == choice);
        let backend = found.ok_or_else(|| self.not_here(choice))?;
        if let Some(format) = lacking(backend, formats) {
            return Err(cannot_make(&[backend], format));
        }
        match backend.readiness() {
            Readiness::Unavailable { failure } => Err(failure),
            Readiness::Ready | Readiness::Starting { .. } => Ok(Chosen {
                backend: backend.clone(),
                reason: format!("`{choice}` was asked for"),
            }),
        }
    }

    fn best(&self, formats: &[Format]) -> Result<Chosen, Failure> {
        let able: Vec<&Arc<dyn Backend>> = self
            .backends
            .iter()
            .filter(|backend| lacking(backend, formats).is_none())
            .collect();
        let Some(first) = able.first() else {
            let all: Vec<&Arc<dyn Backend>> = self.backends.iter().collect();
            let format = formats
                .iter()
                .find(|format| all.iter().all(|backend| !makes(backend, **format)));
            return Err(match (format.or(formats.first()), all.is_empty()) {
                (Some(format), false) => cannot_make(&all, *format),
                _ => self.not_here(BackendChoice::Auto),
            });
        };
        let ready = able
            .iter()
            .find(|backend| backend.readiness() == Readiness::Ready);
        let starting = || {
            able.iter()
                .find(|backend| matches!(backend.readiness(), Readiness::Starting { .. }))
        };
        match (ready.or_else(starting), first.readiness()) {
            (Some(backend), _) => Ok(Chosen {
                backend: Arc::clone(backend),
                reason: self.reason(backend, formats),
            }),
            (None, Readiness::Unavailable { failure }) => Err(failure),
            // Its readiness changed in between: it may work after all.
            (None, _) => Ok(Chosen {
                backend: Arc::clone(first),
                reason: self.reason(first, formats),
            }),
        }
    }

    /// Why `auto` took this one and none of the better ones.
    fn reason(&self, taken: &Arc<dyn Backend>, formats: &[Format]) -> String {
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
                (None, Readiness::Starting { reason }) => {
                    format!("`{}` is starting: {reason}", name(backend))
                }
                (None, Readiness::Unavailable { failure }) => {
                    format!("`{}` is not available: {}", name(backend), failure.message)
                }
                (None, Readiness::Ready) => format!("`{}` was not ready", name(backend)),
            })
            .collect();
        if passed.is_empty() {
            return format!("`{}` is the best backend here", name(taken));
        }
        passed.join("; ")
    }

    fn not_here(&self, choice: BackendChoice) -> Failure {
        let names: Vec<String> = self
            .backends
            .iter()
            .map(|backend| format!("`{}`", name(backend)))
            .collect();
        let message = match (names.is_empty(), choice) {
            (true, _) => "no backend is switched on here".to_owned(),
            (false, choice) => {
                format!(
                    "the backend `{choice}` is not available here, only {}",
                    names.join(", ")
                )
            }
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

fn cannot_make(backends: &[&Arc<dyn Backend>], format: Format) -> Failure {
    let made: Vec<String> = backends
        .iter()
        .map(|backend| {
            let formats: Vec<String> = backend
                .capabilities()
                .formats
                .iter()
                .map(|format| format!("`{format}`"))
                .collect();
            format!("`{}` makes {}", name(backend), formats.join(", "))
        })
        .collect();
    Failure::new(
        FailureKind::Unsupported,
        format!("`{format}` cannot be made here: {}", made.join("; ")),
    )
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{Capabilities, Output, Reporter, Request};

    struct Fixed {
        capabilities: Capabilities,
        choice: BackendChoice,
        readiness: Readiness,
    }

    #[async_trait::async_trait]
    impl Backend for Fixed {
        fn capabilities(&self) -> &Capabilities {
            &self.capabilities
        }

        fn choice(&self) -> BackendChoice {
            self.choice
        }

        fn readiness(&self) -> Readiness {
            self.readiness.clone()
        }

        async fn generate(
            &self,
            _: Request,
            _: &dyn Reporter,
            _: CancellationToken,
        ) -> Result<Output, Failure> {
            Err(Failure::new(FailureKind::Internal, "it only stands here"))
        }
    }

    fn backend(choice: BackendChoice, readiness: Readiness) -> Arc<dyn Backend> {
        let (name, formats) = match choice {
            BackendChoice::Trellis => ("trellis", vec![Format::Glb, Format::GaussianPly]),
            _ => ("relief", vec![Format::Glb, Format::Stl]),
        };
        Arc::new(Fixed {
            capabilities: Capabilities {
                name,
                description: "fixed",
                preview: choice == BackendChoice::Relief,
                formats,
                multiview: false,
                slots: 1,
            },
            choice,
            readiness,
        })
    }

    fn registry(trellis: Readiness) -> Registry {
        Registry::new(vec![
            backend(BackendChoice::Relief, Readiness::Ready),
            backend(BackendChoice::Trellis, trellis),
        ])
    }

    fn unavailable() -> Readiness {
        Readiness::Unavailable {
            failure: Failure::new(FailureKind::DriverMissing, "no NVIDIA driver was found"),
        }
    }

    fn starting() -> Readiness {
        Readiness::Starting {
            reason: "loading the weights".to_owned(),
        }
    }

    fn said(registry: &Registry, choice: BackendChoice, formats: &[Format]) -> String {
        match registry.choose(choice, formats) {
            Ok(chosen) => format!("{}: {}", name(&chosen.backend), chosen.reason),
            Err(failure) => format!("{}: {}", failure.kind.name(), failure.message),
        }
    }

    #[test]
    fn auto_takes_the_best_that_is_ready_and_says_why() {
        let auto = |trellis, format| said(&registry(trellis), BackendChoice::Auto, &[format]);
        assert_eq!(
            auto(Readiness::Ready, Format::Glb),
            "trellis: `trellis` is the best backend here"
        );
        assert_eq!(
            auto(starting(), Format::Glb),
            "relief: `trellis` is starting: loading the weights"
        );
        assert_eq!(
            auto(unavailable(), Format::Glb),
            "relief: `trellis` is not available: no NVIDIA driver was found"
        );
        assert_eq!(
            auto(Readiness::Ready, Format::Stl),
            "relief: `trellis` does not make `stl`"
        );
        assert_eq!(
            auto(starting(), Format::GaussianPly),
            "trellis: `trellis` is the best backend here"
        );
        assert_eq!(
            auto(unavailable(), Format::GaussianPly),
            "driver_missing: no NVIDIA driver was found"
        );
        let alone = Registry::new(vec![backend(BackendChoice::Relief, Readiness::Ready)]);
        assert_eq!(
            said(&alone, BackendChoice::Auto, &[Format::Glb]),
            "relief: `relief` is the only backend here"
        );
    }

    #[test]
    fn what_nobody_here_serves_is_unsupported() {
        let both = registry(Readiness::Ready);
        assert_eq!(
            said(&both, BackendChoice::Auto, &[Format::Turntable]),
            "unsupported: `turntable` cannot be made here: `trellis` makes `glb`, `gaussian_ply`; \
             `relief` makes `glb`, `stl`"
        );
        assert_eq!(
            said(&both, BackendChoice::Relief, &[Format::GaussianPly]),
            "unsupported: `gaussian_ply` cannot be made here: `relief` makes `glb`, `stl`"
        );
        // Each is made by one of them, both by none.
        assert!(
            said(&both, BackendChoice::Auto, &[Format::Stl, Format::GaussianPly]).starts_with("unsupported")
        );
        let alone = Registry::new(vec![backend(BackendChoice::Relief, Readiness::Ready)]);
        assert_eq!(
            said(&alone, BackendChoice::Trellis, &[Format::Glb]),
            "unsupported: the backend `trellis` is not available here, only `relief`"
        );
        let none = Registry::new(Vec::new());
        assert_eq!(
            said(&none, BackendChoice::Auto, &[Format::Glb]),
            "unsupported: no backend is switched on here"
        );
    }

    #[test]
    fn auto_jobs_go_to_the_best_that_may_work() {
        use BackendChoice::{Auto, Relief, Trellis};

        let choices = |trellis| {
            let registry = registry(trellis);
            let all = registry.all().iter();
            all.map(|backend| registry.choices_of(backend.as_ref()))
                .collect::<Vec<_>>()
        };
        assert_eq!(choices(Readiness::Ready), [vec![Auto, Trellis], vec![Relief]]);
        assert_eq!(choices(starting()), [vec![Auto, Trellis], vec![Relief]]);
        assert_eq!(choices(unavailable()), [vec![Trellis], vec![Auto, Relief]]);
    }
}
