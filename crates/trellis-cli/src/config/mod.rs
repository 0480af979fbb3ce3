//! Settings: flags, then environment, then the settings file, then defaults, into one [`Config`].
//!
//! Three steps: parse (`file.rs`, `flags.rs`: syntax only), check (`kind.rs`: ranges, pure), start (the
//! commands: has effects). `settings.rs` is the one table that names every setting; flags, variables,
//! error texts and docs/configuration.md are made from it.

mod file;
mod flags;
mod kind;
mod load;
mod mistyped;
mod origin;
mod problem;
#[cfg(test)]
mod reference;
mod settings;
mod values;

pub(crate) use flags::SettingFlags;
pub(crate) use load::{Effective, check_file, load, load_without_data};
pub(crate) use origin::Origin;
pub(crate) use problem::{ConfigProblem, Problems};
pub(crate) use values::{Config, Log, LogFormat};
