//! What a library's code means for a capability.

use std::collections::BTreeSet;

use serde::Serialize;

use super::arch::{Arch, Capability};
use super::images::Images;

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
    /// on other GPUs only. Embedded code has no units: the library chooses, and takes the best that it has.
    pub(super) fn of(images: &Images, capability: Capability) -> Self {
        let embedded = &images.embedded;
        if images.units.native > 0 || embedded.sass.keys().any(|arch| arch.sass_runs_on(capability)) {
            return Self::Native;
        }
        let mut ptx: BTreeSet<Arch> = images.units.compiled.keys().copied().collect();
        ptx.extend(
            embedded
                .ptx
                .keys()
                .rfind(|arch| arch.ptx_compiles_for(capability)),
        );
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
