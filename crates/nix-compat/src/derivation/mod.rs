//! Derivations: Nix's recipes, the `.drv` files of a store. Read, write, check, and compute what they make.
//!
//! A path says what made it, and that can be recomputed without building: the derivation's own path is a
//! hash of its text; the path of a fixed output is a hash of what it must hold; every other output path is a
//! hash of the derivation in which each input derivation is replaced by its hash, in turn computed the same
//! way ("modulo": what a fixed output was downloaded by does not count).
//!
//! ```
//! # use nix_compat::derivation::Derivation;
//! # let text = br#"Derive([("out","","","")],[],[],"x86_64-linux","/bin/sh",[],[("out","")])"#;
//! let mut derivation = Derivation { system: "x86_64-linux".into(), builder: "/bin/sh".into(), ..Default::default() };
//! derivation.outputs.insert("out".into(), Default::default());
//! derivation.environment.insert("out".into(), "".into());
//! assert_eq!(derivation.to_aterm_bytes(), text);
//!
//! let hash = derivation.hash_derivation_modulo(|_input| unreachable!("it has none"));
//! derivation.calculate_output_paths("hello", &hash)?;
//! derivation.validate(true)?;
//! assert!(derivation.outputs["out"].path_str().ends_with("-hello"));
//! # Ok::<(), nix_compat::derivation::DerivationError>(())
//! ```
//!
//! Not known, and refused with what was met: derivations in the extended form `DrvWithVersion(…)`, outputs
//! that are content-addressed without a hash, impure outputs, outputs fixed as `text` or by `git`. Stricter
//! than Nix 2.26: nothing may follow the closing bracket, nothing may stand twice, an output may not be
//! called `drv`, a variable's name may not be empty. Not here: opening files.

use std::collections::{BTreeMap, BTreeSet};

use bstr::BString;

mod error;
mod hash;
#[cfg(feature = "serde")]
mod json;
mod output;
mod parse;
mod validate;
mod write;

pub use crate::nixhash::{CAHash, NixHash};
use crate::store_path::StorePath;
pub use error::{DerivationError, OutputError, ParserError};
pub use output::Output;
pub use validate::validate_output_name;

/// What to run, with what, to make which paths.
///
/// `default()` is empty and not valid: it has no output.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Derivation {
    /// The builder's arguments.
    #[cfg_attr(feature = "serde", serde(rename = "args"))]
    pub arguments: Vec<String>,
    /// The program to run.
    pub builder: String,
    /// The builder's environment variables; values may be any bytes.
    #[cfg_attr(feature = "serde", serde(rename = "env", with = "json::environment"))]
    pub environment: BTreeMap<String, BString>,
    /// Derivations whose outputs are used, each with the names of those outputs.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "inputDrvs", deserialize_with = "json::input_derivations")
    )]
    pub input_derivations: BTreeMap<StorePath<String>, BTreeSet<String>>,
    /// Store paths that are used and that no derivation makes.
    #[cfg_attr(feature = "serde", serde(rename = "inputSrcs"))]
    pub input_sources: BTreeSet<StorePath<String>>,
    /// What it makes, by name; the first and often only one is `out`.
    pub outputs: BTreeMap<String, Output>,
    /// The kind of machine that can run the builder, as `x86_64-linux`.
    pub system: String,
}
