//! Nix's own formats as types: hashes, store paths, NAR archives, `.narinfo` files.
//!
//! Written against the formats and a real Nix as oracle (`tests/goldens/make`). The **names and signatures** are
//! those of the crate `nix-compat` of the snix project, so that it can stand in this one's place; nothing else is
//! shared. `tests/it/surface.rs` names each of them with its full type.
//!
//! Pure: opens no file, reads no clock, knows no network and no async runtime. Archives are streamed; memory is
//! bounded whatever the bytes say.
//!
//! | module | what |
//! |---|---|
//! | [`nixbase32`] | the base 32 of store paths and `sha256:…` digests |
//! | [`nixhash`] | [`NixHash`](nixhash::NixHash) in every notation, [`CAHash`](nixhash::CAHash) |
//! | [`store_path`] | parsing, validating and computing `/nix/store/…` paths |
//!
//! # Features
//!
//! `default` is empty. `serde`: hashes and store paths as fields of JSON.
//!
//! # Where this crate differs from upstream
//!
//! In each case it does as Nix 2.26 does, or is stricter where a verifier must be:
//!
//! - [`nixhash`]: hexadecimal digits may be upper-case; base 64 is read as Nix reads it, to the first `=`, without
//!   looking at unused bits.
//! - [`store_path`]: the names `.`, `..`, `.-…` and `..-…` are refused. Paths order as their strings do (upstream:
//!   by digest alone), so that a `BTreeSet` loses none and iterates as Nix does. References need not be sorted.
//! - [`store_path::build_ca_path`]: a self-reference is taken for `Nar(Sha256)` only (upstream refuses just that).

mod base64;
pub mod nar;
pub mod narinfo;
pub mod nixbase32;
pub mod nixhash;
pub mod store_path;
