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
//! | [`derivation`] | [`Derivation`](derivation::Derivation): read, write, check, and compute what paths it makes |
//! | `flakeref` | [`FlakeRef`](flakeref::FlakeRef): where a flake's source tree comes from |
//! | [`nix_http`] | names and types of a binary cache's files |
//! | [`nixcpp`] | `nix.conf` |
//! | `path_info` | [`ExportedPathInfo`](path_info::ExportedPathInfo): a closure as a build is told of it |
//! | [`store_path`] | parsing, validating and computing `/nix/store/…` paths |
//!
//! # Features
//!
//! `default` is empty. `serde`: hashes, store paths, derivations and path infos as JSON. `flakeref`: flake references.
//!
//! # Where this crate differs from upstream
//!
//! In each case it does as Nix 2.26 does, or is stricter where a verifier must be:
//!
//! - [`nixhash`]: hexadecimal digits may be upper-case; base 64 is read as Nix reads it, to the first `=`, without
//!   looking at unused bits.
//! - [`store_path`]: the names `.`, `..`, `.-…` and `..-…` are refused. Paths order as their strings do (upstream:
//!   by digest alone), so that a `BTreeSet` loses none and iterates as Nix does. References need not be sorted.
//! - [`derivation`]: nothing may stand twice or follow the end; what newer Nix may write and this crate does not know is
//!   named. `hash_derivation_modulo` asks `lookup` nothing if the output is fixed (upstream: once per input).
//! - `flakeref`: a `+` in a parameter is a plus; every `https:` address is a tarball, as for Nix's own flakes.
//! - [`nixcpp`]: the `extra-…` lists are fields of their own.
//! - [`store_path::build_ca_path`]: a self-reference is taken for `Nar(Sha256)` only (upstream refuses just that).

mod aterm;
mod base64;
pub mod derivation;
#[cfg(feature = "flakeref")]
pub mod flakeref;
pub mod nar;
pub mod narinfo;
pub mod nix_http;
pub mod nixbase32;
pub mod nixcpp;
pub mod nixhash;
#[cfg(feature = "serde")]
pub mod path_info;
pub mod store_path;
