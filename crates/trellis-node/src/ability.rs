//! What this server can do for a job. It tells the others ([`crate::About`]), and goes by it when it claims.

use std::sync::Arc;

use trellis_backend::{Backend, Origin, Registry};
use trellis_core::{BackendChoice, Gpu, Model, Pin, Sha256};
use trellis_jobs::Ability;

/// What this server can do.
#[derive(Clone)]
pub(crate) struct Abilities {
    here: Registry,
    gpus: Arc<Vec<Gpu>>,
    /// By what its Python environment is called.
    closures: Vec<String>,
    decoders: Vec<(Model, Sha256)>,
    /// Whether other servers work on the same jobs.
    shared: bool,
}

impl Abilities {
    /// `gpus` are those of this machine; `shared`: other servers work on the same jobs.
    pub(crate) fn new(here: Registry, origin: &Origin, gpus: Vec<Gpu>, shared: bool) -> Self {
        let closures = match &origin.installation().python_env {
            Pin::Nix { store_path, nar_hash } => std::iter::once(store_path.clone())
                .chain(nar_hash.clone())
                .collect(),
            Pin::Unpinned { .. } => Vec::new(),
        };
        Self {
            here,
            gpus: Arc::new(gpus),
            closures,
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
            closures: Some(self.closures.clone()),
            // Alone it takes them all: what it cannot decode any more fails with the reason, rather than wait for nobody.
            decoders: self.shared.then(|| {
                let own = self
                    .decoders
                    .iter()
                    .filter(|(model, _)| backend.model() == Some(*model));
                own.map(|(_, decoder)| *decoder).collect()
            }),
        }
    }

    /// The most that one of its workers may have, where several share a GPU its part. `None`: nothing is known of their
    /// GPUs.
    fn largest_gpu_of(&self, backend: &dyn Backend) -> Option<u64> {
        let workers = backend.workers();
        let parts = self.gpus.iter().filter_map(|gpu| {
            let here = workers
                .iter()
                .filter(|worker| worker.gpu.as_ref() == Some(&gpu.uuid));
            gpu.memory_bytes.checked_div(here.count() as u64)
        });
        parts.max()
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
