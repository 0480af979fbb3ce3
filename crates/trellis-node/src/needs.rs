//! What a job needs of the servers of its store. It is refused where none of them will ever do it, and otherwise waits for one
//! that can.

use std::sync::Arc;

use trellis_core::{BackendChoice, Demand, Failure, Format, Model, Params, Sha256};
use trellis_jobs::{Ability, Makers, Needs};

use crate::servers::{Missing, Servers};

/// The makers of a server, with what jobs need of them.
pub(crate) struct NeedingMakers {
    pub(crate) inner: Arc<dyn Makers>,
    pub(crate) servers: Servers,
    /// The closure that results of TRELLIS must come from; empty: any.
    pub(crate) closure: String,
}

impl Makers for NeedingMakers {
    fn made_by(&self, demand: Demand, formats: &[Format]) -> Result<Option<String>, Failure> {
        self.inner.made_by(demand, formats)
    }

    fn made_by_with_mesh(&self, demand: Demand, formats: &[Format]) -> Result<Option<String>, Failure> {
        self.inner.made_by_with_mesh(demand, formats)
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

    fn needs(
        &self,
        choice: BackendChoice,
        params: &Params,
        decoder: Option<Sha256>,
    ) -> Result<Needs, Failure> {
        let needs = needs(choice, params, decoder, &self.closure);
        let of = |choice| {
            let model = (choice == BackendChoice::Trellis).then(|| params.model.model());
            self.servers.abilities(choice, model)
        };
        // As jobs go: `auto` to TRELLIS, where it is anywhere. It may still come to servers that share a store.
        let mut all = match choice {
            BackendChoice::Auto => of(BackendChoice::Trellis),
            choice => of(choice),
        };
        if choice == BackendChoice::Auto && all.is_empty() && self.servers.roster.is_none() {
            all = of(BackendChoice::Relief);
        }
        check(&needs, &all)?;
        Ok(needs)
    }

    fn lack(&self, demand: Demand, needs: &str) -> Option<Failure> {
        // What a newer version needs this one cannot judge.
        self.servers.lack(demand, &Needs::from_text(needs)?)
    }
}

/// What a job needs. What is decoded takes as much memory as a whole job at its peak: the mesh decoder takes the most.
fn needs(choice: BackendChoice, params: &Params, decoder: Option<Sha256>, closure: &str) -> Needs {
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
            decoder,
            mesh: false,
        },
    }
}

/// Refuses a job that none of these can do; without any of them nothing is known.
fn check(needs: &Needs, all: &[Ability]) -> Result<(), Failure> {
    if all.is_empty() {
        return Ok(());
    }
    Missing::of(needs, all).map_or(Ok(()), |missing| Err(missing.refused()))
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
            meshes: None,
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
            (&[Format::Stl], "", Some("no server makes `stl`")),
        ] {
            let needs = needs(BackendChoice::Auto, &params(formats), None, closure);
            let said = check(&needs, &servers).err().map(|failure| failure.message);
            assert_eq!(said.is_some(), refused.is_some(), "{said:?}");
            assert!(said.unwrap_or_default().contains(refused.unwrap_or_default()));
        }
        let large = needs(BackendChoice::Trellis, &params(&[Format::Glb]), None, "");
        let said = check(&large, &[gpu(4, "a")]).unwrap_err().message;
        assert!(said.contains("the largest GPU has 4"), "{said}");
        assert!(check(&large, &[]).is_ok(), "nobody is known");
    }

    #[test]
    fn only_trellis_needs_a_gpu_and_a_closure() {
        let relief = needs(BackendChoice::Relief, &params(&[Format::Glb]), None, "a");
        assert_eq!((relief.vram_bytes, relief.closure), (0, None));
        let auto = needs(BackendChoice::Auto, &params(&[Format::Glb]), None, "a");
        assert!(auto.vram_bytes > 4 << 30 && auto.closure.as_deref() == Some("a"));
        assert_eq!(
            needs(BackendChoice::Export, &params(&[Format::Stl]), None, "a"),
            Needs::default()
        );
    }

    #[test]
    fn an_export_that_is_decoded_needs_its_decoder_and_a_gpu_that_is_large_enough() {
        let glb = params(&[Format::Glb]);
        let export = needs(BackendChoice::Trellis, &glb, Some(Sha256::of("a")), "c");
        assert_eq!(export.vram_bytes, trellis_supervisor::least_memory(&glb));
        assert_eq!(export.closure.as_deref(), Some("c"));
        let decoding = |gib, decoder| Ability {
            decoders: Some(vec![Sha256::of(decoder)]),
            ..gpu(gib, "c")
        };
        // The large GPU belongs to another decoder.
        let servers = [decoding(4, "a"), decoding(24, "b")];
        let said = check(&export, &servers).unwrap_err().message;
        assert!(said.contains("the largest GPU has 4"), "{said}");
        assert!(check(&export, &[decoding(24, "a")]).is_ok());
        let said = check(&export, &[decoding(24, "b")]).unwrap_err().message;
        assert!(said.contains("can be decoded only by"), "{said}");
    }
}
