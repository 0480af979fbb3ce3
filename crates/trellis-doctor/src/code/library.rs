//! A line of the table of machine code.

use std::collections::BTreeMap;

use serde::Serialize;

use super::arch::Arch;
use super::images::{Counts, Images};
use super::verdict::Verdict;
use trellis_core::Capability;

/// Pieces of code for one architecture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ArchCount {
    /// Such as `sm_90a` or `compute_80`.
    pub arch: String,
    /// How many.
    pub count: u64,
}

/// Lists of code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CodeLists {
    /// Machine code.
    pub sass: Vec<ArchCount>,
    /// PTX.
    pub ptx: Vec<ArchCount>,
}

impl CodeLists {
    fn new(counts: &Counts) -> Self {
        let list = |of: &BTreeMap<Arch, u64>, name: fn(Arch) -> String| {
            let counts = of.iter().map(|(arch, count)| ArchCount {
                arch: name(*arch),
                count: *count,
            });
            counts.collect()
        };
        Self {
            sass: list(&counts.sass, Arch::sm),
            ptx: list(&counts.ptx, Arch::compute),
        }
    }

    fn count(&self) -> u64 {
        self.sass.iter().chain(&self.ptx).map(|arch| arch.count).sum()
    }
}

/// Translation units of the linked code by what they do on the asked capability.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnitCounts {
    /// Run as they are.
    pub native: u64,
    /// Are compiled by the driver.
    pub driver_compiles: u64,
    /// Cannot run; in a native library these are the units that are chosen on other GPUs.
    pub none: u64,
}

/// The device code of a library and what it means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LibraryCode {
    /// Below the folder of packages.
    pub library: String,
    /// Pieces of code of all kinds.
    pub images: u64,
    /// Code that `cuobjdump` lists.
    pub linked: CodeLists,
    /// What linked code was made from, which the CUDA runtime links once more where that does not run.
    pub relocatable: CodeLists,
    /// Code among the constants, that the library loads itself.
    pub embedded: CodeLists,
    /// Translation units of the linked code.
    pub units: UnitCounts,
    /// For the asked capability.
    pub verdict: Verdict,
}

impl LibraryCode {
    pub(super) fn new(library: &str, images: &Images, capability: Capability) -> Self {
        let lists = [&images.linked, &images.relocatable, &images.embedded];
        let [linked, relocatable, embedded] = lists.map(CodeLists::new);
        Self {
            library: library.to_owned(),
            images: linked.count() + relocatable.count() + embedded.count(),
            linked,
            relocatable,
            embedded,
            units: UnitCounts {
                native: images.units.native,
                driver_compiles: images.units.compiled.values().sum(),
                none: images.units.none,
            },
            verdict: Verdict::of(images, capability),
        }
    }

    /// All SASS, each architecture once, in order.
    pub fn sass(&self) -> Vec<&str> {
        self.merged(|lists| &lists.sass)
    }

    /// All PTX, as [`sass`](Self::sass).
    pub fn ptx(&self) -> Vec<&str> {
        self.merged(|lists| &lists.ptx)
    }

    /// In order of the numbers: `sm_90` before `sm_100`.
    fn merged(&self, of: impl Fn(&CodeLists) -> &[ArchCount]) -> Vec<&str> {
        let lists = [&self.linked, &self.relocatable, &self.embedded].into_iter();
        let mut names: Vec<&str> = lists.flat_map(of).map(|count| count.arch.as_str()).collect();
        names.sort_by_key(|name| (name.trim_end_matches(char::is_alphabetic).len(), *name));
        names.dedup();
        names
    }
}
