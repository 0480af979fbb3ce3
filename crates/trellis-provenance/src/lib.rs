//! Writes into a result what made it, and states it in a form that others verify.
//!
//! [`glb`] puts a [`trellis_core::Provenance`] into a GLB and reads it from there. [`Statement`] says the
//! same of files by their digests, as in-toto and SLSA have it; [`Envelope`] signs such a statement with a
//! [`SigningKey`] in Nix's form.
//!
//! Not here: files, clocks, and what this machine is. Everything is handed in.

mod envelope;
pub mod glb;
mod key;
mod members;
mod statement;

pub use envelope::{Envelope, OpenError, Opened};
pub use key::{KeyError, PublicKey, SigningKey};
pub use statement::{Run, Statement, Subject};
