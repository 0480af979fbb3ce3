//! What can be wrong with a model folder: one variant each, with where it is.
//!
//! Names, weights and advice: `problem/kind.rs`.

mod kind;

use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer, ser::SerializeStruct};

use crate::config::BadArgument;
use crate::extras::ExtraFault;
use crate::header::HeaderError;
use crate::moves::{self, Misplaced, Move};
use crate::numbers::Numbers;
use crate::read::ReadError;
use crate::reference::Refused;

pub(crate) use kind::EVERYTHING;
pub use kind::Severity;

/// A fault or a risk, found by `check`.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says what its fields are")]
pub enum Problem {
    #[error("`{}` has no pipeline.json{}", folder.display(), in_another(near.as_deref()))]
    PipelineMissing {
        folder: PathBuf,
        /// A folder nearby that holds one.
        near: Option<PathBuf>,
    },
    #[error("this is a TRELLIS.2 folder{}, another family of models than TRELLIS", named_as(name.as_deref()))]
    Trellis2 { name: Option<String> },
    #[error("pipeline.json cannot be used")]
    PipelineUnreadable {
        #[source]
        source: ReadError,
    },
    #[error("pipeline.json asks for the pipeline `{name}`, which is not one of TRELLIS's")]
    PipelineUnknown { name: String },
    #[error("pipeline.json has no model for `{role}`: {lost}")]
    RoleMissing { role: &'static str, lost: &'static str },
    #[error("pipeline.json has a model for `{role}`, a role that TRELLIS does not know")]
    RoleUnknown { role: String },
    #[error("setting `{setting}` of pipeline.json {fault}")]
    Setting { setting: String, fault: String },
    #[error("`{role}` expects features of width {expected}, but `{network}` gives {found}")]
    ConditionWidth {
        role: &'static str,
        network: String,
        expected: u64,
        found: u64,
    },

    #[error("the checkpoint name {text:?} for `{role}` is refused: {reason}")]
    ReferenceRefused {
        role: String,
        text: String,
        reason: Refused,
    },
    #[error("checkpoint `{name}` is named in pipeline.json for `{role}` but is missing")]
    CheckpointMissing { name: String, role: String },
    #[error("checkpoint `{name}` is incomplete: `{missing}` is missing")]
    CheckpointHalf { name: String, missing: String },
    #[error("`{name}` is in the wrong place: {}", moves::sentence(moves))]
    Misplaced { name: String, moves: Vec<Move> },
    #[error("`{file}` is a broken link: `{}` does not exist", target.display())]
    DanglingLink { file: String, target: PathBuf },
    #[error("checkpoint `{name}` for `{role}` is in another repository, `{repo}`, and not on this machine")]
    WouldDownload {
        name: String,
        role: String,
        repo: String,
    },
    #[error("checkpoint `{name}` has no usable configuration")]
    ConfigUnreadable {
        name: String,
        #[source]
        source: ReadError,
    },
    #[error("checkpoint `{name}` has an incomplete configuration: {reason}")]
    ConfigArgument { name: String, reason: BadArgument },
    #[error("checkpoint `{name}` is of class `{class}`, which TRELLIS does not have")]
    ClassUnknown { name: String, class: String },
    #[error("checkpoint `{name}` is of class `{class}`, which cannot be the `{role}`")]
    ClassDoesNotFit {
        name: String,
        class: String,
        role: &'static str,
    },
    #[error("checkpoint `{name}` is damaged: {reason}")]
    Weights { name: String, reason: HeaderError },
    #[error("checkpoint `{name}` does not fit its configuration: {fault}")]
    Shape { name: String, fault: String },
    #[error("checkpoint `{name}` holds tensors of type {dtypes}, where TRELLIS's are floating point")]
    OddDtype { name: String, dtypes: String },

    #[error("checkpoint `{name}` is damaged: {reason}")]
    Numbers { name: String, reason: Numbers },
    #[error(
        "checkpoint `{name}` has {} tensors with {} numbers, the published one {} with {}",
        found.0, found.1, expected.0, expected.1
    )]
    Counts {
        name: String,
        /// Tensors and their elements.
        found: (u64, u64),
        expected: (u64, u64),
    },

    #[error("the download of `{}` is unfinished: aria2's `{}` is still there", file.display(), left.display())]
    DownloadUnfinished { file: PathBuf, left: PathBuf },
    #[error("`{}` is left over from an unfinished download", left.display())]
    DownloadLeftover { left: PathBuf },

    #[error("{what} cannot be used: `{}`", path.display())]
    ExtraBroken {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: ExtraFault,
    },
    #[error(
"{what}: `{}` is not the published file, it has {found} bytes instead of {expected}", path.display()
    )]
    ExtraDiffers {
        what: &'static str,
        path: PathBuf,
        found: u64,
        expected: u64,
    },
    #[error("{what} would be downloaded at the first job: `{}` is missing", path.display())]
    ExtraMissing { what: &'static str, path: PathBuf },

    #[error("there is no lock at `{}`", path.display())]
    LockMissing { path: PathBuf },
    #[error("the lock cannot be used")]
    LockUnreadable {
        #[source]
        source: ReadError,
    },
    #[error("`{file}` is locked but missing")]
    LockedFileMissing { file: String },
    #[error("`{file}` has {found} bytes, the lock says {expected}")]
    LockedSize { file: String, found: u64, expected: u64 },
    #[error("`{file}` has sha256 {found}, the lock says {expected}")]
    LockedHash {
        file: String,
        found: String,
        expected: String,
    },
    #[error("`{file}` has the digest {found}, but the cache keeps it as {expected}")]
    BlobHash {
        file: String,
        found: String,
        expected: String,
    },
    #[error("`{file}` has {found} bytes, the published file {expected}")]
    PinnedSize { file: String, found: u64, expected: u64 },
    #[error("`{file}` has the digest {found}, the published file {expected} ({})", by_sources(*sources))]
    PinnedHash {
        file: String,
        found: String,
        expected: String,
        /// How many public sources give the digest; 0: it was put together.
        sources: u32,
    },
    #[error("`{file}` is read by TRELLIS but is not in the lock")]
    NotLocked { file: String },
    #[error("`{}` cannot be read", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },

    #[error("this folder has a substitute flow model: {reason}")]
    SubstituteFlowModel { reason: String },
}

fn in_another(near: Option<&Path>) -> String {
    near.map_or_else(String::new, |near| format!(", but `{}` does", near.display()))
}

fn named_as(name: Option<&str>) -> String {
    name.map_or_else(String::new, |name| format!(" (`{name}`)"))
}

fn by_sources(sources: u32) -> String {
    match sources {
        0 => "assembled from published values".to_owned(),
        1 => "by one public source".to_owned(),
        many => format!("by {many} public sources"),
    }
}

impl Problem {
    /// The sentence with its causes, as one line.
    pub fn sentence(&self) -> String {
        let mut sentence = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            sentence = format!("{sentence}: {error}");
            cause = error.source();
        }
        sentence
    }
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Problem", 4)?;
        object.serialize_field("kind", self.kind())?;
        object.serialize_field("severity", &self.severity())?;
        object.serialize_field("message", &self.sentence())?;
        object.serialize_field("advice", &self.advice())?;
        object.end()
    }
}

impl From<&Misplaced> for Problem {
    fn from(misplaced: &Misplaced) -> Self {
        Self::Misplaced {
            name: misplaced.name.clone(),
            moves: misplaced.moves.clone(),
        }
    }
}
