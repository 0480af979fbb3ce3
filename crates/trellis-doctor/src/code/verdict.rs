//! What a library's code means for a capability.

use std::collections::BTreeSet;

use serde::Serialize;

use super::arch::Arch;
use super::images::Images;
use trellis_core::Capability;

/// What happens when a kernel of the library is started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Verdict {
    /// Machine code for the GPU is there.
    Native,
    /// The driver compiles PTX at first use.
    DriverCompiles {
        /// The PTX that it takes, such as `compute_80`.
        from: Vec<String>,
    },
    /// `no kernel image is available` follows.
    None,
}

impl Verdict {
    /// One unit with machine code makes a library native, as the units without it are those that are chosen
    /// on other GPUs only. Relocatable and embedded code have none: the runtime or the library takes the best.
    pub(super) fn of(images: &Images, capability: Capability) -> Self {
        let others = [&images.relocatable, &images.embedded];
        let mut sass = others.iter().flat_map(|counts| counts.sass.keys());
        if images.units.native > 0 || sass.any(|arch| arch.sass_runs_on(capability)) {
            return Self::Native;
        }
        let mut ptx: BTreeSet<Arch> = images.units.compiled.keys().copied().collect();
        for counts in others {
            let mut compilable = counts.ptx.keys().filter(|arch| arch.ptx_compiles_for(capability));
            ptx.extend(compilable.next_back());
        }
        if ptx.is_empty() {
            return Self::None;
        }
        Self::DriverCompiles {
            from: ptx.into_iter().map(Arch::compute).collect(),
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Native => f.write_str("native"),
            Self::DriverCompiles { from } => write!(f, "driver compiles from {}", from.join(", ")),
            Self::None => f.write_str("none"),
        }
    }
}
