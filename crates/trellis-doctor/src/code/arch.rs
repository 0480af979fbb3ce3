//! GPU architectures as libraries name them (`sm_90a`, `compute_80`), and which capabilities run their code.
//!
//! The rules of what runs where are NVIDIA's: "CUDA C++ Programming Guide", Compute Capabilities, and
//! "NVCC", GPU Feature List. Pure: reads nothing.

use std::fmt;

use trellis_core::Capability;

/// How far code of an architecture reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Variant {
    /// `sm_90`: SASS for this and later minors, PTX for everything later.
    Plain,
    /// `sm_90a`: this capability only.
    Exact,
    /// `sm_100f`: this and later minors of the same major.
    Family,
}

/// An architecture that code was compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Arch {
    /// 90 for `sm_90`.
    pub number: u32,
    /// The letter behind the number.
    pub variant: Variant,
}

impl Arch {
    /// Whether SASS of this architecture runs on the capability as it is.
    pub fn sass_runs_on(self, capability: Capability) -> bool {
        match self.variant {
            Variant::Exact => self.number == capability.number(),
            Variant::Plain | Variant::Family => {
                self.number / 10 == capability.major && self.number % 10 <= capability.minor
            }
        }
    }

    /// Whether the driver can compile PTX of this architecture for the capability.
    pub fn ptx_compiles_for(self, capability: Capability) -> bool {
        match self.variant {
            Variant::Plain => self.number <= capability.number(),
            Variant::Exact | Variant::Family => self.sass_runs_on(capability),
        }
    }

    /// As written in a list of SASS: `sm_90a`.
    pub fn sm(self) -> String {
        format!("sm_{self}")
    }

    /// As written in a list of PTX: `compute_90a`.
    pub fn compute(self) -> String {
        format!("compute_{self}")
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = match self.variant {
            Variant::Plain => "",
            Variant::Exact => "a",
            Variant::Family => "f",
        };
        write!(f, "{}{letter}", self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arch(number: u32, variant: Variant) -> Arch {
        Arch { number, variant }
    }

    const BLACKWELL: Capability = Capability { major: 12, minor: 0 };

    #[test]
    fn sass_stays_within_its_major() {
        assert!(arch(120, Variant::Plain).sass_runs_on(BLACKWELL));
        assert!(!arch(121, Variant::Plain).sass_runs_on(BLACKWELL));
        assert!(!arch(100, Variant::Plain).sass_runs_on(BLACKWELL));
        assert!(arch(80, Variant::Plain).sass_runs_on(Capability { major: 8, minor: 6 }));
        assert!(arch(120, Variant::Exact).sass_runs_on(BLACKWELL));
        assert!(!arch(120, Variant::Exact).sass_runs_on(Capability { major: 12, minor: 1 }));
        assert!(arch(120, Variant::Family).sass_runs_on(Capability { major: 12, minor: 1 }));
    }

    #[test]
    fn ptx_reaches_later_majors_unless_it_has_a_letter() {
        assert!(arch(80, Variant::Plain).ptx_compiles_for(BLACKWELL));
        assert!(!arch(121, Variant::Plain).ptx_compiles_for(BLACKWELL));
        assert!(!arch(90, Variant::Exact).ptx_compiles_for(BLACKWELL));
        assert!(!arch(100, Variant::Family).ptx_compiles_for(BLACKWELL));
    }
}
