//! What can be wrong with a path of a closure: one variant each.

use serde::{Serialize, Serializer, ser::SerializeStruct};

use crate::error::ClosureError;
use crate::path_info::Source;

/// What is wrong with a path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says what its fields are")]
pub enum Problem {
    #[error("is registered but missing")]
    Missing,
    #[error("has NAR hash {found}, {} says {expected}", said(*by))]
    Hash {
        found: String,
        expected: String,
        by: Source,
    },
    #[error("has a NAR of {found} bytes, {} says {expected}", said(*by))]
    Size { found: u64, expected: u64, by: Source },
    #[error("has a content that gives the path `{computed}`, not this one")]
    OtherPath { computed: String },
    #[error("has content with hash {found}, its name stands for {expected}")]
    OtherContent { found: String, expected: String },
    #[error("has a content address that no path can have")]
    BadContentAddress,
    #[error("has a signature in the name of `{key}` that this key did not make")]
    BadSignature { key: String },
    #[error("is not signed by any trusted key")]
    NotSigned,
    #[error("has nothing to compare with: there is no database, and no binary cache has it")]
    NothingSaid,
    #[error("{sentence}")]
    Unreadable {
        kind: &'static str,
        sentence: String,
        advice: &'static str,
    },
}

fn said(by: Source) -> &'static str {
    match by {
        Source::Database => "the database",
        Source::BinaryCache => "the binary cache",
        Source::Scan => "the scan",
    }
}

impl Problem {
    pub(super) fn unreadable(error: &ClosureError) -> Self {
        let mut sentence = error.to_string();
        let mut cause = std::error::Error::source(error);
        while let Some(source) = cause {
            sentence = format!("{sentence}: {source}");
            cause = source.source();
        }
        Self::Unreadable {
            kind: error.kind(),
            sentence,
            advice: error.advice(),
        }
    }

    /// Stable name in JSON, docs and tests.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Hash { .. } => "hash",
            Self::Size { .. } => "size",
            Self::OtherPath { .. } => "other_path",
            Self::OtherContent { .. } => "other_content",
            Self::BadContentAddress => "bad_content_address",
            Self::BadSignature { .. } => "bad_signature",
            Self::NotSigned => "not_signed",
            Self::NothingSaid => "nothing_said",
            Self::Unreadable { kind, .. } => kind,
        }
    }

    /// What to do, one sentence.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Missing
            | Self::Hash { .. }
            | Self::Size { .. }
            | Self::OtherPath { .. }
            | Self::OtherContent { .. } => {
                "as root, `nix-store --repair-path` with this path fetches or builds it again"
            }
            Self::BadContentAddress => "run `nix-store --verify`: the database is damaged",
            Self::BadSignature { .. } => {
                "do not trust this path: remove it with `nix-store --delete` and fetch it from a cache you know"
            }
            Self::NotSigned => {
                "name the key of who built it with `--trusted-key`; `nix store sign` signs what was built here"
            }
            Self::NothingSaid => "name a folder with narinfo files with `--binary-cache`",
            Self::Unreadable { advice, .. } => advice,
        }
    }
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Problem", 3)?;
        object.serialize_field("kind", self.kind())?;
        object.serialize_field("message", &self.to_string())?;
        object.serialize_field("advice", self.advice())?;
        object.end()
    }
}
