//! Is there code for the GPU in every library?
//!
//! `arch.rs` names, `fatbin.rs` the file format, `cubin.rs` the code's own header, `images.rs` a library's code,
//! `verdict.rs` what it means, `nvrtc.rs` run-time compilers, `xformers.rs` limits in xformers' own sources.

mod arch;
mod cubin;
pub mod fatbin;
mod images;
mod library;
mod nvrtc;
mod problem;
mod verdict;
mod xformers;

use rayon::iter::{IntoParallelIterator, ParallelIterator};
use trellis_core::Capability;

use self::problem::CodeProblem;
use crate::abi;
use crate::finding::{Check, Finding, Findings};
use crate::library_index::{Id, LibraryIndex};
use crate::packages::Packages;

pub use library::{ArchCount, CodeLists, LibraryCode, UnitCounts};
pub use verdict::Verdict;

/// The table of all libraries with device code, and what to say about them.
pub(crate) fn check(
    index: &LibraryIndex,
    packages: &Packages,
    capability: Capability,
) -> (Vec<LibraryCode>, Vec<Finding>) {
    let read: Vec<(Id, images::Images, Option<CodeProblem>)> = (0..index.entries.len())
        .into_par_iter()
        .map(|id| {
            let (images, outcome) = images::images(&index.entries[id].library, capability);
            let damaged = outcome.err().map(|error| CodeProblem::Damaged {
                reason: error.to_string(),
            });
            (id, images, damaged)
        })
        .collect();
    let mut findings = Findings::of(Check::MachineCode);
    let mut table = Vec::new();
    let needed = index.reachable(&abi::extensions(index));
    let mut summary = problem::Summary::new(capability);
    for (id, images, damaged) in read {
        let name = &index.entries[id].name;
        findings.say_all(name, damaged);
        if !images.is_empty() {
            let line = LibraryCode::new(name, &images, capability);
            summary.add(&line, needed.contains(&id));
            table.push(line);
        }
    }
    table.sort_by(|a, b| a.library.cmp(&b.library));
    findings.say_all("device code", summary.problems());
    findings.say_each(nvrtc::check(index, capability));
    findings.say_all("xformers", xformers::check(packages, capability));
    (table, findings.into_vec())
}
