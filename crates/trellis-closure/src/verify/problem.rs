//! What can be wrong with a path of a closure: one variant each.

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use trellis_core::{Explain as _, Told};

use crate::error::ClosureError;
use crate::path_info::Source;

trellis_core::explained! {
    /// What is wrong with a path.
    #[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
    #[expect(missing_docs, reason = "each variant's sentence says what its fields are")]
    pub enum Problem {
        #[error("is registered but missing")]
        Missing = "missing", REPAIR;
        #[error("has NAR hash {found}, {} says {expected}", said(*by))]
        Hash { found: String, expected: String, by: Source } = "hash", REPAIR;
        #[error("has a NAR of {found} bytes, {} says {expected}", said(*by))]
        Size { found: u64, expected: u64, by: Source } = "size", REPAIR;
        #[error("has content that belongs at the path `{computed}`, not this one")]
        OtherPath { computed: String } = "other_path", REPAIR;
        #[error("has content with hash {found}, but its name stands for {expected}")]
        OtherContent { found: String, expected: String } = "other_content", REPAIR;
        #[error("has a content address that is not valid for any path")]
        BadContentAddress = "bad_content_address", "run `nix-store --verify`: the database is damaged";
        #[error("has a signature in the name of `{key}` that this key did not make")]
        BadSignature { key: String } = "bad_signature",
            "do not trust this path: remove it with `nix-store --delete` and fetch it from a cache you know";
        #[error("is not signed by any trusted key")]
        NotSigned = "not_signed",
            "name the key of who built it with `--trusted-key`; `nix store sign` signs what was built here";
        #[error("has nothing to compare with: there is no database, and no binary cache has it")]
        NothingSaid = "nothing_said", "name a folder with narinfo files with `--binary-cache`";
        /// In the words of its error.
        #[error("{sentence}")]
        Unreadable { kind: &'static str, sentence: String, advice: Cow<'static, str> } = kind, advice.clone();
    }
}

const REPAIR: &str = "as root, `nix-store --repair-path` with this path fetches or builds it again";

fn said(by: Source) -> &'static str {
    match by {
        Source::Database => "the database",
        Source::BinaryCache => "the binary cache",
        Source::Scan => "the scan",
    }
}

impl Problem {
    pub(super) fn unreadable(error: &ClosureError) -> Self {
        Self::Unreadable {
            kind: error.kind(),
            sentence: error.sentence(),
            advice: error.advice(),
        }
    }
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Told::error(self).serialize(serializer)
    }
}
