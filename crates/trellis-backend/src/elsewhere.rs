//! A backend that several servers have: this one, others, or both.
//!
//! What it says of itself decides where jobs go ([`crate::Registry`]), so that one rule holds for all servers of a store:
//! `auto` waits for a TRELLIS that is somewhere, and no server hands it to its own preview meanwhile. One that is nowhere may
//! still come: what only that can do waits for it. Work is done by the backend that is here; whoever has none claims nothing
//! for it.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use trellis_core::{
    BackendChoice, Failure, FailureKind, GenerateError, Model, Sha256, WorkerCommand, WorkerStatus,
};

use crate::{Backend, Capabilities, Output, Readiness, Reporter, Request};

/// What is known of the backends of other servers, asked at each decision.
pub trait Others: Send + Sync + 'static {
    /// The best that any of them says of that one; `None`: nobody has it.
    fn readiness(&self, choice: BackendChoice, model: Option<Model>) -> Option<Readiness>;

    /// Their workers.
    fn workers(&self, choice: BackendChoice, model: Option<Model>) -> Vec<WorkerStatus>;

    /// Whether any of them has that one and textures given meshes with it.
    fn textures_meshes(&self, choice: BackendChoice, model: Option<Model>) -> bool;
}

/// A backend wherever it is.
pub struct Anywhere {
    choice: BackendChoice,
    model: Option<Model>,
    capabilities: Capabilities,
    here: Option<Arc<dyn Backend>>,
    others: Arc<dyn Others>,
}

impl Anywhere {
    /// The backend of that choice that runs this model. `capabilities` are those of every one of its kind.
    pub fn new(
        choice: BackendChoice,
        model: Option<Model>,
        capabilities: Capabilities,
        here: Option<Arc<dyn Backend>>,
        others: Arc<dyn Others>,
    ) -> Self {
        Self {
            choice,
            model,
            capabilities,
            here,
            others,
        }
    }

    /// The one that is here.
    pub fn here(&self) -> Option<&Arc<dyn Backend>> {
        self.here.as_ref()
    }
}

/// The readier, the lower.
fn order(readiness: &Readiness) -> u8 {
    match readiness {
        Readiness::Ready => 0,
        Readiness::Starting { .. } => 1,
        Readiness::Unavailable { .. } => 2,
        Readiness::Absent { .. } => 3,
    }
}

#[async_trait::async_trait]
impl Backend for Anywhere {
    fn capabilities(&self) -> &Capabilities {
        self.here
            .as_ref()
            .map_or(&self.capabilities, |here| here.capabilities())
    }

    fn choice(&self) -> BackendChoice {
        self.choice
    }

    fn model(&self) -> Option<Model> {
        self.model
    }

    fn readiness(&self) -> Readiness {
        let here = self.here.as_ref().map(|here| here.readiness());
        let elsewhere = self.others.readiness(self.choice, self.model);
        here.into_iter()
            .chain(elsewhere)
            .min_by_key(order)
            .unwrap_or_else(|| Readiness::Absent {
                reason: match self.model {
                    Some(model) => format!("no server of this job store runs `{}` now", model.name()),
                    None => format!(
                        "no server of this job store has the backend `{}` now",
                        self.choice
                    ),
                },
            })
    }

    fn variant(&self) -> Option<&str> {
        self.here.as_ref().and_then(|here| here.variant())
    }

    fn tuning(&self) -> Option<Sha256> {
        self.here.as_ref().and_then(|here| here.tuning())
    }

    fn uses_python(&self) -> bool {
        match &self.here {
            Some(here) => here.uses_python(),
            None => self.choice == BackendChoice::Trellis,
        }
    }

    /// Where only others have the model, the job waits for one that can.
    fn textures_meshes(&self) -> Result<(), Failure> {
        match &self.here {
            _ if self.others.textures_meshes(self.choice, self.model) => Ok(()),
            Some(here) => here.textures_meshes(),
            None if self.choice == BackendChoice::Trellis && self.model == Some(Model::Trellis2) => Ok(()),
            None => Err(Failure::new(
                FailureKind::Unsupported,
                format!("`{}` does not texture meshes", self.capabilities.name),
            )),
        }
    }

    fn workers(&self) -> Vec<WorkerStatus> {
        let mut workers = self.here.as_ref().map_or_else(Vec::new, |here| here.workers());
        workers.extend(self.others.workers(self.choice, self.model));
        workers
    }

    fn command(&self, worker: &str, command: WorkerCommand) -> bool {
        self.here
            .as_ref()
            .is_some_and(|here| here.command(worker, command))
    }

    async fn generate(
        &self,
        request: Request,
        reporter: &dyn Reporter,
        cancel: CancellationToken,
    ) -> Result<Output, GenerateError> {
        match &self.here {
            Some(here) => here.generate(request, reporter, cancel).await,
            None => Err(GenerateError::Failed(Failure::new(
                FailureKind::Internal,
                format!("the backend `{}` is on other servers only", self.choice),
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use trellis_core::{Demand, Format};

    use super::*;
    use crate::{Registry, ReliefBackend, ReliefSettings, Route};

    /// Other servers that have TRELLIS, or had it.
    struct Gpus(Option<Readiness>);

    impl Others for Gpus {
        fn textures_meshes(&self, _: BackendChoice, model: Option<Model>) -> bool {
            self.0.is_some() && model == Some(Model::Trellis2)
        }

        fn readiness(&self, choice: BackendChoice, _: Option<Model>) -> Option<Readiness> {
            self.0.clone().filter(|_| choice == BackendChoice::Trellis)
        }

        fn workers(&self, _: BackendChoice, _: Option<Model>) -> Vec<WorkerStatus> {
            Vec::new()
        }
    }

    /// A server without a GPU beside others.
    fn without_gpu(others: Option<Readiness>) -> (Registry, Arc<dyn Backend>) {
        let relief: Arc<dyn Backend> = Arc::new(ReliefBackend::new(ReliefSettings::default()));
        let others: Arc<dyn Others> = Arc::new(Gpus(others));
        let trellis = Capabilities {
            name: "trellis",
            preview: false,
            ..relief.capabilities().clone()
        };
        let anywhere = |choice, capabilities, here| -> Arc<dyn Backend> {
            let model = (choice == BackendChoice::Trellis).then_some(Model::DEFAULT);
            Arc::new(Anywhere::new(choice, model, capabilities, here, others.clone()))
        };
        let registry = Registry::new(vec![
            anywhere(
                BackendChoice::Relief,
                relief.capabilities().clone(),
                Some(relief.clone()),
            ),
            anywhere(BackendChoice::Trellis, trellis, None),
        ]);
        (registry, relief)
    }

    #[test]
    fn auto_is_for_the_gpu_of_another_server_where_one_lives() {
        let starting = || Readiness::Starting {
            reason: "loading".to_owned(),
        };
        for (gpus, taken_here, goes_to) in [
            (Some(Readiness::Ready), false, "Now(trellis)"),
            (Some(starting()), false, "Wait(trellis)"),
            (None, true, "Now(relief)"),
        ] {
            let (registry, relief) = without_gpu(gpus);
            let claims = registry.claims(&*relief);
            assert_eq!(
                claims.contains(&BackendChoice::Auto.into()),
                taken_here,
                "{goes_to}"
            );
            assert!(claims.contains(&BackendChoice::Relief.into()), "{goes_to}");
            let route = registry.route(BackendChoice::Auto, &[]);
            assert_eq!(format!("{route:?}"), goes_to);
        }
    }

    #[test]
    fn what_nobody_has_waits_for_a_server_that_has_it() {
        let (registry, relief) = without_gpu(None);
        let route = registry.route(BackendChoice::Trellis, &[]);
        assert_eq!(format!("{route:?}"), "Wait(trellis)");
        assert!(!registry.claims(&*relief).contains(&BackendChoice::Trellis.into()));
        let Readiness::Absent { reason } = registry.all()[0].readiness() else {
            panic!("it is somewhere");
        };
        assert_eq!(
            reason,
            "no server of this job store runs `trellis-image-large` now"
        );
    }

    #[test]
    fn without_any_other_server_everything_waits_that_some_version_can_do() {
        let others: Arc<dyn Others> = Arc::new(Gpus(None));
        let relief = ReliefBackend::new(ReliefSettings::default());
        let anywhere = |choice, model| -> Arc<dyn Backend> {
            let preview = choice == BackendChoice::Relief;
            let capabilities = Capabilities {
                name: if preview { "relief" } else { "trellis" },
                preview,
                ..relief.capabilities().clone()
            };
            Arc::new(Anywhere::new(choice, model, capabilities, None, others.clone()))
        };
        let models = Model::ALL.map(|model| anywhere(BackendChoice::Trellis, Some(model)));
        let registry = Registry::new(
            models
                .into_iter()
                .chain([anywhere(BackendChoice::Relief, None)])
                .collect(),
        );
        for (choice, goes_to) in [
            (BackendChoice::Auto, "Wait(trellis)"),
            (BackendChoice::Trellis, "Wait(trellis)"),
            (BackendChoice::Relief, "Wait(relief)"),
        ] {
            for model in Model::ALL {
                let route = registry.route(Demand::new(choice, model), &[Format::Glb]);
                assert_eq!(format!("{route:?}"), goes_to, "{choice} {model:?}");
            }
            let route = registry.route(choice, &[Format::Turntable]);
            let Route::Never(failure) = route else {
                panic!("{route:?}")
            };
            assert_eq!(failure.kind, FailureKind::Unsupported);
        }
    }

    /// The backend of a server whose folder lacks the encoder of shapes; the preview cannot texture either.
    #[test]
    fn a_mesh_is_textured_where_any_server_can() {
        let here: Arc<dyn Backend> = Arc::new(ReliefBackend::new(ReliefSettings::default()));
        let textures = |others: Option<Readiness>, here: Option<&Arc<dyn Backend>>, model| {
            let anywhere = Anywhere::new(
                BackendChoice::Trellis,
                Some(model),
                ReliefBackend::new(ReliefSettings::default())
                    .capabilities()
                    .clone(),
                here.cloned(),
                Arc::new(Gpus(others)),
            );
            anywhere.textures_meshes().is_ok()
        };
        let ready = || Some(Readiness::Ready);
        assert!(textures(ready(), Some(&here), Model::Trellis2));
        assert!(!textures(None, Some(&here), Model::Trellis2));
        assert!(textures(None, None, Model::Trellis2), "the job waits");
        assert!(!textures(ready(), None, Model::TrellisImageLarge));
    }

    /// Other servers that have TRELLIS-image-large.
    struct First;

    impl Others for First {
        fn textures_meshes(&self, _: BackendChoice, _: Option<Model>) -> bool {
            false
        }

        fn readiness(&self, _: BackendChoice, model: Option<Model>) -> Option<Readiness> {
            (model == Some(Model::TrellisImageLarge)).then_some(Readiness::Ready)
        }

        fn workers(&self, _: BackendChoice, _: Option<Model>) -> Vec<WorkerStatus> {
            Vec::new()
        }
    }

    #[test]
    fn a_model_that_no_server_has_is_waited_for_and_not_previewed() {
        let relief: Arc<dyn Backend> = Arc::new(ReliefBackend::new(ReliefSettings::default()));
        let others: Arc<dyn Others> = Arc::new(First);
        let mut all = vec![relief.clone()];
        for model in Model::ALL {
            let capabilities = Capabilities {
                name: "trellis",
                preview: false,
                ..relief.capabilities().clone()
            };
            let choice = BackendChoice::Trellis;
            all.push(Arc::new(Anywhere::new(
                choice,
                Some(model),
                capabilities,
                None,
                others.clone(),
            )));
        }
        let registry = Registry::new(all);
        let auto = |model| registry.route(Demand::new(BackendChoice::Auto, model), &[Format::Glb]);
        assert!(matches!(auto(Model::TrellisImageLarge), Route::Now(_)));
        let second = Demand::new(BackendChoice::Auto, Model::Trellis2);
        let Route::Wait(waited_for) = auto(Model::Trellis2) else {
            panic!("it is not waited for")
        };
        assert_eq!(waited_for.model(), Some(Model::Trellis2));
        assert!(!registry.claims(&*relief).contains(&second));
    }
}
