//! What a job needs of the servers of its store. It is refused where none of them will ever do it, and otherwise waits for one
//! that can.

use std::sync::Arc;

use trellis_core::{BackendChoice, Demand, Failure, FailureKind, Format, Model, Params, Sha256, memory_size};
use trellis_jobs::{Ability, Makers, Needs};

use crate::ability::Abilities;
use crate::cluster::Roster;

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
    fn made_by(&self, demand: Demand, formats: &[Format]) -> Result<Option<String>, Failure> {
        self.inner.made_by(demand, formats)
    }

    fn textures_meshes(&self, demand: Demand) -> Result<(), Failure> {
        self.inner.textures_meshes(demand)
    }

    fn default_model(&self) -> Model {
        self.inner.default_model()
    }

    fn decodes(&self, model: Model, decoder: Sha256) -> bool {
        self.inner.decodes(model, decoder)
    }

    fn needs(&self, choice: BackendChoice, params: &Params) -> Result<Needs, Failure> {
        let needs = needs(choice, params, &self.closure);
        let of = |choice| {
            let model = (choice == BackendChoice::Trellis).then(|| params.model.model());
            let mut all = self.abilities.of_choice(choice, model);
            let others = self.roster.iter();
            all.extend(others.flat_map(|roster| roster.abilities(choice, model)));
            all
        };
        // As jobs go: `auto` to TRELLIS, where it is anywhere. It may still come to servers that share a store.
        let mut all = match choice {
            BackendChoice::Auto => of(BackendChoice::Trellis),
            choice => of(choice),
        };
        if choice == BackendChoice::Auto && all.is_empty() && self.roster.is_none() {
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
            decoder: None,
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
            decoders: None,
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
