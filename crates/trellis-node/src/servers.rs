//! What the servers of a job store can do together, and what a waiting job lacks that none of them can do.
//!
//! One rule refuses jobs when they are submitted ([`Missing::refused`]) and says of those that wait what is missing
//! ([`Servers::lack`]). It goes by what claims go by: the backend that takes such a job, and the abilities of whoever has it.

use std::sync::Arc;

use trellis_backend::{Readiness, Registry};
use trellis_core::{BackendChoice, Demand, Failure, FailureKind, Format, Model, memory_size};
use trellis_jobs::{Ability, Needs};

use crate::ability::Abilities;
use crate::roster::Roster;

/// What to do where nothing but another server helps.
const ADVICE_ALONE: &str = "start the server with that model, or cancel the job";

/// This server and those that share its job store.
#[derive(Clone)]
pub(crate) struct Servers {
    /// The backends of all of them.
    pub(crate) all: Registry,
    /// What this server can do; `None`: it is no server.
    pub(crate) here: Option<Abilities>,
    /// Whether this server works on jobs.
    pub(crate) works: bool,
    /// The others, where the store is shared.
    pub(crate) roster: Option<Arc<Roster>>,
}

impl Servers {
    /// What those can do that have that backend and may work.
    pub(crate) fn abilities(&self, choice: BackendChoice, model: Option<Model>) -> Vec<Ability> {
        let here = self.here.iter();
        let mut all: Vec<Ability> = here.flat_map(|here| here.of_choice(choice, model)).collect();
        let others = self.roster.iter();
        all.extend(others.flat_map(|roster| roster.abilities(choice, model)));
        all
    }

    /// Why none of them can do a job that waits, and what to do; `None`: one can, or that is not known.
    pub(crate) fn lack(&self, demand: Demand, needs: &Needs) -> Option<Failure> {
        if self.roster.as_ref().is_some_and(|roster| roster.has_strangers()) {
            return None;
        }
        if demand.backend() == BackendChoice::Export {
            let works = self.works || self.roster.as_ref().is_some_and(|roster| roster.works());
            return (!works).then(|| {
                no_server(
                    "no server that works on jobs is running",
                    "start one with `--role worker`, or cancel the job",
                )
            });
        }
        let Some(taker) = self.all.holder(demand) else {
            let why = self.all.route(demand, &needs.formats).backend().err()?;
            return Some(no_server(why.message, ADVICE_ALONE));
        };
        let all = self.abilities(taker.choice(), taker.model());
        if all.is_empty() {
            return match taker.readiness() {
                Readiness::Ready | Readiness::Starting { .. } => None,
                Readiness::Unavailable { failure } => Some(no_server(failure.message, failure.fix)),
                Readiness::Absent { reason } => Some(no_server(reason, Readiness::ADVICE_WHERE_ABSENT)),
            };
        }
        Missing::of(needs, &all).map(|missing| no_server(missing.to_string(), missing.advice()))
    }
}

fn no_server(message: impl Into<String>, fix: impl Into<String>) -> Failure {
    Failure {
        fix: fix.into(),
        ..Failure::new(FailureKind::NoServer, message)
    }
}

/// What no server has of that which a job needs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Missing {
    /// What alone decodes what was sampled.
    #[error(
        "what was sampled for the earlier job can be decoded only by the Python environment and the model that sampled \
         it, and no server has them now"
    )]
    Decoder,
    /// The Python environment that results must come from.
    #[error(
        "results must come from `{0}` here (`provenance.require_closure`), and no server has that environment"
    )]
    Closure(String),
    /// So much GPU memory.
    #[error(
        "this needs {} of GPU memory, and the largest GPU has {}",
        memory_size(*needed_bytes),
        memory_size(*largest_bytes)
    )]
    Memory {
        /// What is needed.
        needed_bytes: u64,
        /// What the largest GPU has.
        largest_bytes: u64,
    },
    /// What encodes a mesh.
    #[error(
        "no server can texture a mesh: `trellis model fetch trellis2-4b --to DIR` adds the encoder that `trellis2-4b` \
         needs for it"
    )]
    Mesh,
    /// A server that makes all of them.
    #[error("no server makes {} with these parameters", named(.0))]
    Formats(Vec<Format>),
}

impl Missing {
    /// What none of these has; `None`: one has everything.
    pub(crate) fn of(needs: &Needs, all: &[Ability]) -> Option<Self> {
        let met = |needs: &Needs| all.iter().any(|ability| ability.meets(needs));
        if met(needs) {
            return None;
        }
        let without = |change: fn(&mut Needs)| {
            let mut less = needs.clone();
            change(&mut less);
            met(&less)
        };
        // Whatever else those have that cannot decode it.
        let decoder = Needs {
            decoder: needs.decoder,
            ..Needs::default()
        };
        if !met(&decoder) {
            return Some(Self::Decoder);
        }
        if let Some(closure) = needs
            .closure
            .clone()
            .filter(|_| without(|needs| needs.closure = None))
        {
            return Some(Self::Closure(closure));
        }
        if without(|needs| needs.vram_bytes = 0) {
            let others = Needs {
                vram_bytes: 0,
                ..needs.clone()
            };
            let able = all.iter().filter(|ability| ability.meets(&others));
            return Some(Self::Memory {
                needed_bytes: needs.vram_bytes,
                largest_bytes: able.filter_map(|ability| ability.vram_bytes).max().unwrap_or(0),
            });
        }
        if without(|needs| needs.mesh = false) {
            return Some(Self::Mesh);
        }
        Some(Self::Formats(needs.formats.clone()))
    }

    /// Why a job is not accepted.
    pub(crate) fn refused(&self) -> Failure {
        Failure::new(FailureKind::Unsupported, self.to_string())
    }

    /// What to do about a job that waits for it, one sentence.
    fn advice(&self) -> &'static str {
        match self {
            Self::Decoder => {
                "start a server with that environment and model, or cancel the job and submit its pictures again"
            }
            Self::Closure(_) => "start a server with that environment, or cancel the job and submit it again",
            Self::Memory { .. } => "start a server with a larger GPU, or cancel the job and ask for less",
            Self::Mesh => "start a server whose model folder has that encoder, or cancel the job",
            Self::Formats(_) => "start a server that makes them, or cancel the job and ask for fewer formats",
        }
    }
}

fn named(formats: &[Format]) -> String {
    let names: Vec<String> = formats.iter().map(|format| format!("`{format}`")).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests;
