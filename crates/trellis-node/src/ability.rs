//! What the servers of a job store can do for a job, and what a job needs of them.
//!
//! A job is refused where no server will ever do it, and otherwise waits for one that can. What a server can do it tells the
//! others ([`crate::About`]), and goes by itself when it claims.

use std::sync::Arc;

use trellis_backend::{Backend, Origin, Readiness, Registry};
use trellis_core::{BackendChoice, Failure, FailureKind, Format, Gpu, Params, Pin, memory_size};
use trellis_jobs::{Ability, Makers, Needs};

use crate::cluster::Roster;

/// What this server can do.
#[derive(Clone)]
pub(crate) struct Abilities {
    here: Registry,
    gpus: Arc<Vec<Gpu>>,
    /// By what its Python environment is called.
    closures: Vec<String>,
}

impl Abilities {
    /// `gpus` are those of this machine.
    pub(crate) fn new(here: Registry, origin: &Origin, gpus: Vec<Gpu>) -> Self {
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
            };
        }
        let mut all = formats(backend);
        for other in self.here.all() {
            all.extend(
                formats(other.as_ref())
                    .into_iter()
                    .filter(|format| !all.contains(format))
                    .collect::<Vec<_>>(),
            );
        }
        Ability {
            formats: Some(all),
            vram_bytes: self.largest_gpu_of(backend),
            closures: Some(self.closures.clone()),
        }
    }

    /// `None`: its workers have no GPUs of which anything is known.
    fn largest_gpu_of(&self, backend: &dyn Backend) -> Option<u64> {
        let workers = backend.workers();
        let has = |gpu: &&Gpu| {
            workers
                .iter()
                .any(|worker| worker.gpu.as_ref() == Some(&gpu.uuid))
        };
        self.gpus.iter().filter(has).map(|gpu| gpu.memory_bytes).max()
    }

    /// Those of the backends of that choice that are here and may work.
    fn of_choice(&self, choice: BackendChoice) -> Vec<Ability> {
        let may_work = |backend: &&Arc<dyn Backend>| {
            backend.choice() == choice && !matches!(backend.readiness(), Readiness::Unavailable { .. })
        };
        let backends = self.here.all().iter().filter(may_work);
        backends.map(|backend| self.of(backend.as_ref())).collect()
    }
}

/// The makers of a server, with what jobs need of them.
pub(crate) struct NeedingMakers {
    pub(crate) inner: Arc<dyn Makers>,
    pub(crate) abilities: Abilities,
    /// The other servers, where there are any.
    pub(crate) roster: Option<Arc<Roster>>,
    /// The closure that results of TRELLIS must come from; empty: any.
    pub(crate) closure: String,
}

impl Makers for NeedingMakers {
    fn made_by(&self, choice: BackendChoice, formats: &[Format]) -> Result<Option<String>, Failure> {
        self.inner.made_by(choice, formats)
    }

    fn needs(&self, choice: BackendChoice, params: &Params) -> Result<Needs, Failure> {
        let needs = needs(choice, params, &self.closure);
        let of = |choice| {
            let mut all = self.abilities.of_choice(choice);
            all.extend(self.roster.iter().flat_map(|roster| roster.abilities(choice)));
            all
        };
        // As jobs go: `auto` to TRELLIS, where it is anywhere.
        let mut all = match choice {
            BackendChoice::Auto => of(BackendChoice::Trellis),
            choice => of(choice),
        };
        if choice == BackendChoice::Auto && all.is_empty() {
            all = of(BackendChoice::Relief);
        }
        check(&needs, &all)?;
        Ok(needs)
    }
}

/// What a job needs.
fn needs(choice: BackendChoice, params: &Params, closure: &str) -> Needs {
    match choice {
        BackendChoice::Export => Needs::default(),
        BackendChoice::Relief => Needs {
            formats: params.formats.clone(),
            ..Needs::default()
        },
        BackendChoice::Auto | BackendChoice::Trellis => Needs {
            formats: params.formats.clone(),
            vram_bytes: trellis_supervisor::least_memory(params),
            closure: Some(closure.to_owned()).filter(|closure| !closure.is_empty()),
        },
    }
}

/// Refuses a job that none of these can do; without any of them nothing is known.
fn check(needs: &Needs, all: &[Ability]) -> Result<(), Failure> {
    if all.is_empty() || all.iter().any(|ability| ability.meets(needs)) {
        return Ok(());
    }
    let without = |change: fn(&mut Needs)| {
        let mut less = needs.clone();
        change(&mut less);
        all.iter().any(|ability| ability.meets(&less))
    };
    let unsupported = |message| Err(Failure::new(FailureKind::Unsupported, message));
    if let Some(closure) = needs
        .closure
        .as_ref()
        .filter(|_| without(|needs| needs.closure = None))
    {
        return unsupported(format!(
            "results must come from `{closure}` here (`provenance.require_closure`), and no server has that environment"
        ));
    }
    if without(|needs| needs.vram_bytes = 0) {
        let largest = all
            .iter()
            .filter_map(|ability| ability.vram_bytes)
            .max()
            .unwrap_or(0);
        return unsupported(format!(
            "this needs {} of GPU memory, and the largest GPU has {}",
            memory_size(needs.vram_bytes),
            memory_size(largest)
        ));
    }
    let names: Vec<String> = needs.formats.iter().map(|format| format!("`{format}`")).collect();
    unsupported(format!(
        "no server can make {} together as it is asked for",
        names.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use trellis_core::ParamsPatch;

    use super::*;

    fn params(formats: &[Format]) -> Params {
        ParamsPatch::default()
            .with("formats", formats.to_vec())
            .resolve(1)
            .unwrap()
    }

    fn gpu(gib: u64, closure: &str) -> Ability {
        Ability {
            formats: Some(vec![Format::Glb, Format::GaussianPly]),
            vram_bytes: Some(gib << 30),
            closures: Some(vec![closure.to_owned()]),
        }
    }

    #[test]
    fn a_job_that_no_server_can_do_is_refused_with_what_is_missing() {
        let servers = [gpu(24, "a"), gpu(4, "b")];
        for (formats, closure, refused) in [
            (&[Format::Glb][..], "", None),
            (&[Format::Glb], "a", None),
            (&[Format::GaussianPly], "b", None),
            (&[Format::Glb], "c", Some("must come from `c`")),
            (&[Format::Stl], "", Some("no server can make `stl`")),
        ] {
            let needs = needs(BackendChoice::Auto, &params(formats), closure);
            let said = check(&needs, &servers).err().map(|failure| failure.message);
            assert_eq!(said.is_some(), refused.is_some(), "{said:?}");
            assert!(said.unwrap_or_default().contains(refused.unwrap_or_default()));
        }
        let large = needs(BackendChoice::Trellis, &params(&[Format::Glb]), "");
        let said = check(&large, &[gpu(4, "a")]).unwrap_err().message;
        assert!(said.contains("the largest GPU has 4"), "{said}");
        assert!(check(&large, &[]).is_ok(), "nobody is known");
    }

    #[test]
    fn only_trellis_needs_a_gpu_and_a_closure() {
        let relief = needs(BackendChoice::Relief, &params(&[Format::Glb]), "a");
        assert_eq!((relief.vram_bytes, relief.closure), (0, None));
        let auto = needs(BackendChoice::Auto, &params(&[Format::Glb]), "a");
        assert!(auto.vram_bytes > 4 << 30 && auto.closure.as_deref() == Some("a"));
        assert_eq!(
            needs(BackendChoice::Export, &params(&[Format::Stl]), "a"),
            Needs::default()
        );
    }
}
