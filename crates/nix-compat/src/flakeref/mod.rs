//! Flake references: where a flake's source tree comes from, as `github:NixOS/nixpkgs/nixos-25.05`.
//!
//! | form | what |
//! |---|---|
//! | `nixpkgs`, `flake:nixpkgs[/<ref>][/<rev>]` | [`FlakeRef::Indirect`], looked up in a registry |
//! | `github:<owner>/<repo>[/<ref or rev>]`, `gitlab:`, `sourcehut:` | an archive of a forge |
//! | `git+https:`, `git+http:`, `git+ssh:`, `git+file:`, `git:` | [`FlakeRef::Git`] |
//! | `path:<path>`, `/<path>` | [`FlakeRef::Path`] |
//! | `https:`, `http:`, `file:`, or these behind `tarball+` | [`FlakeRef::Tarball`] |
//! | these behind `file+` | [`FlakeRef::File`] |
//!
//! Read as Nix 2.26 reads them, of which the goldens are. A reference names the source tree only: `dir`,
//! the folder of the flake in it, is passed over, as is a parameter that Nix passes over. The names, with
//! what they lack (a forge's `narHash`, Mercurial's address), are upstream's; so `hg+…` is refused rather
//! than read without its address. Not here: fetching, `flake.lock`.

use std::path::PathBuf;

use url::Url;

mod output;
mod parse;
mod query;
mod uri;

pub use output::FlakeRefOutput;

/// Where a source tree comes from.
///
/// In all of them `ref` is a branch or tag and `rev` a commit's 40 hex digits; `rev_count` and
/// `last_modified` (in seconds since 1970) are what the tree must have, as is `nar_hash` (SRI).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[expect(
    missing_docs,
    reason = "the fields that need words have them on the type or the variant"
)]
pub enum FlakeRef {
    /// One file, not unpacked.
    File {
        last_modified: Option<u64>,
        nar_hash: Option<String>,
        rev: Option<String>,
        rev_count: Option<u64>,
        url: Url,
    },
    /// A git repository; `url` is without `git+`. `public_keys` has an entry for each parameter of the name,
    /// as written (Nix puts a JSON list of all keys into one).
    Git {
        all_refs: bool,
        export_ignore: bool,
        keytype: Option<String>,
        public_key: Option<String>,
        public_keys: Option<Vec<String>>,
        r#ref: Option<String>,
        rev: Option<String>,
        shallow: bool,
        submodules: bool,
        url: Url,
        verify_commit: bool,
    },
    /// An archive of a repository on GitHub, or on `host`.
    GitHub {
        owner: String,
        repo: String,
        host: Option<String>,
        keytype: Option<String>,
        public_key: Option<String>,
        public_keys: Option<Vec<String>>,
        r#ref: Option<String>,
        rev: Option<String>,
    },
    /// An archive of a repository on GitLab, or on `host`.
    GitLab {
        owner: String,
        repo: String,
        host: Option<String>,
        keytype: Option<String>,
        public_key: Option<String>,
        public_keys: Option<Vec<String>>,
        r#ref: Option<String>,
        rev: Option<String>,
    },
    /// A name that a registry resolves.
    Indirect {
        id: String,
        r#ref: Option<String>,
        rev: Option<String>,
    },
    /// A Mercurial repository. Never read, because its address has no place here.
    Mercurial {
        r#ref: Option<String>,
        rev: Option<String>,
    },
    /// A folder of this machine, possibly relative.
    Path {
        last_modified: Option<u64>,
        nar_hash: Option<String>,
        path: PathBuf,
        rev: Option<String>,
        rev_count: Option<u64>,
    },
    /// An archive of a repository on SourceHut, or on `host`; an `owner` starts with `~`.
    SourceHut {
        owner: String,
        repo: String,
        host: Option<String>,
        keytype: Option<String>,
        public_key: Option<String>,
        public_keys: Option<Vec<String>>,
        r#ref: Option<String>,
        rev: Option<String>,
    },
    /// An archive, unpacked.
    Tarball {
        last_modified: Option<u64>,
        nar_hash: Option<String>,
        rev: Option<String>,
        rev_count: Option<u64>,
        url: Url,
    },
}

/// Why a text is no flake reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlakeRefError {
    /// The address in it is none, or it is a relative path.
    #[error("the flake reference holds no valid address")]
    UrlParseError(#[from] url::ParseError),
    /// No form that is known, or a part or parameter that the form can't have.
    #[error("`{0}` is not a known form of flake reference")]
    UnsupportedType(String),
}
