//! What this server can do for a job. It tells the others ([`crate::About`]), and goes by it when it claims.

use std::sync::Arc;

use trellis_backend::{Backend, Origin, Registry};
use trellis_core::{BackendChoice, Gpu, Model, Pin, Sha256, WorkerStatus};
use trellis_jobs::Ability;

/// What this server can do.
#[derive(Clone)]
pub(crate) struct Abilities {
    here: Registry,
    gpus: Arc<Vec<Gpu>>,
    /// By what the Python environment of each model is called.
    closures: Vec<(Model, Vec<String>)>,
    decoders: Vec<(Model, Sha256)>,
    /// Whether other servers work on the same jobs.
    shared: bool,
}

impl Abilities {
    /// `gpus` are those of this machine; `shared`: other servers work on the same jobs.
    pub(crate) fn new(here: Registry, origin: &Origin, gpus: Vec<Gpu>, shared: bool) -> Self {
        let closures = Model::ALL.map(|model| {
            let called = match &origin.installation_of(Some(model)).python_env {
                Pin::Nix { store_path, nar_hash } => std::iter::once(store_path.clone())
                    .chain(nar_hash.clone())
                    .collect(),
                Pin::Unpinned { .. } => Vec::new(),
            };
            (model, called)
        });
        Self {
            here,
            gpus: Arc::new(gpus),
            closures: closures.into(),
            decoders: Model::ALL.map(|model| (model, origin.decoder(model))).into(),
            shared,
        }
    }

    /// What whoever claims jobs for that backend can do. It hands those that it does not make to the others here.
    pub(crate) fn of(&self, backend: &dyn Backend) -> Ability {
        if backend.choice() == BackendChoice::Export {
            return Ability::default();
        }
        let formats = |backend: &dyn Backend| backend.capabilities().formats.clone();
        if !backend.uses_python() {
            return Ability {
                formats: Some(formats(backend)),
                vram_bytes: None,
                closures: Some(Vec::new()),
                decoders: Some(Vec::new()),
                meshes: Some(false),
            };
        }
        let mut all = formats(backend);
        let of_no_other_model =
            |other: &&Arc<dyn Backend>| other.model().is_none() || other.model() == backend.model();
        for other in self.here.all().iter().filter(of_no_other_model) {
            for format in formats(other.as_ref()) {
                if !all.contains(&format) {
                    all.push(format);
                }
            }
        }
        Ability {
            formats: Some(all),
            vram_bytes: self.largest_gpu_of(backend),
            closures: Some(self.closures_of(backend)),
            // Alone it takes them all: what it cannot decode any more fails with the reason, rather than wait for nobody.
            decoders: self.shared.then(|| {
                let own = self
                    .decoders
                    .iter()
                    .filter(|(model, _)| backend.model() == Some(*model));
                own.map(|(_, decoder)| *decoder).collect()
            }),
            meshes: Some(backend.textures_meshes().is_ok()),
        }
    }

    fn closures_of(&self, backend: &dyn Backend) -> Vec<String> {
        let own = |(model, _): &&(Model, Vec<String>)| Some(*model) == backend.model();
        let own = self.closures.iter().find(own);
        own.map(|(_, closures)| closures.clone()).unwrap_or_default()
    }

    /// The most that one of its workers may have, where several share a GPU, also those of another model, its part. `None`:
    /// nothing is known of their GPUs.
    fn largest_gpu_of(&self, backend: &dyn Backend) -> Option<u64> {
        let on = |workers: &[WorkerStatus], gpu: &Gpu| {
            let here = workers
                .iter()
                .filter(|worker| worker.gpu.as_ref() == Some(&gpu.uuid));
            here.count() as u64
        };
        let own = backend.workers();
        let all: Vec<WorkerStatus> = self.here.all().iter().flat_map(|one| one.workers()).collect();
        let its = self.gpus.iter().filter(|gpu| on(&own, gpu) > 0);
        its.filter_map(|gpu| gpu.memory_bytes.checked_div(on(&all, gpu)))
            .max()
    }

    /// Those of the backends of that choice and model that are here and may work.
    pub(crate) fn of_choice(&self, choice: BackendChoice, model: Option<Model>) -> Vec<Ability> {
        let may_work = |backend: &&Arc<dyn Backend>| {
            (backend.choice(), backend.model()) == (choice, model) && backend.readiness().may_work()
        };
        let backends = self.here.all().iter().filter(may_work);
        backends.map(|backend| self.of(backend.as_ref())).collect()
    }
}
