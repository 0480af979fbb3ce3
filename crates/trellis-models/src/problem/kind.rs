//! Each problem's stable name, its weight and what to do about it.

use serde::Serialize;

use super::Problem;
use crate::header::HeaderError;

/// How much a problem matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// TRELLIS runs, but something is lost or would be downloaded.
    Warning,
    /// TRELLIS fails, or the folder is not what it is said to be.
    Error,
}

impl Problem {
    /// Stable name in JSON, docs and tests.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::PipelineMissing { .. } => "pipeline_missing",
            Self::PipelineUnreadable { .. } => "pipeline_unreadable",
            Self::PipelineUnknown { .. } => "pipeline_unknown",
            Self::RoleMissing { .. } => "role_missing",
            Self::RoleUnknown { .. } => "role_unknown",
            Self::Setting { .. } => "setting",
            Self::ConditionWidth { .. } => "condition_width",
            Self::ReferenceRefused { .. } => "reference_refused",
            Self::CheckpointMissing { .. } | Self::CheckpointHalf { .. } => "checkpoint_missing",
            Self::WouldDownload { .. } => "would_download",
            Self::ConfigUnreadable { .. } => "config_unreadable",
            Self::ConfigArgument { .. } => "config_argument",
            Self::ClassUnknown { .. } => "class_unknown",
            Self::ClassDoesNotFit { .. } => "class_does_not_fit",
            Self::Weights { reason, .. } => match reason {
                HeaderError::Truncated { .. } => "truncated",
                HeaderError::TrailingBytes { .. } => "trailing_bytes",
                HeaderError::LfsPointer => "lfs_pointer",
                HeaderError::WebPage => "web_page",
                HeaderError::HeaderTooLong { .. } | HeaderError::Malformed { .. } => "checkpoint_corrupt",
                HeaderError::Read { .. } => "unreadable",
            },
            Self::Shape { .. } => "shape",
            Self::OddDtype { .. } => "odd_dtype",
            Self::ExtraMissing { .. } => "extra_missing",
            Self::LockMissing { .. } => "lock_missing",
            Self::LockUnreadable { .. } => "lock_unreadable",
            Self::LockedFileMissing { .. } => "locked_file_missing",
            Self::LockedSize { .. } => "locked_size",
            Self::LockedHash { .. } => "locked_hash",
            Self::BlobHash { .. } => "blob_hash",
            Self::NotLocked { .. } => "not_locked",
            Self::Unreadable { .. } => "unreadable",
            Self::AsInNotes { .. } => "as_in_notes",
        }
    }

    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            Self::RoleUnknown { .. }
            | Self::WouldDownload { .. }
            | Self::OddDtype { .. }
            | Self::ExtraMissing { .. }
            | Self::NotLocked { .. } => Severity::Warning,
            Self::RoleMissing { lost, .. } if *lost != EVERYTHING => Severity::Warning,
            _ => Severity::Error,
        }
    }

    /// What to do, one sentence.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::PipelineMissing { .. } => {
                "name the folder that holds pipeline.json, or download one with `trellis model fetch`"
            }
            Self::PipelineUnreadable { .. } | Self::PipelineUnknown { .. } | Self::Setting { .. } => {
                "restore pipeline.json with `trellis model fetch`, or `trellis model repair --undo` if a repair wrote it"
            }
            Self::RoleMissing { .. } | Self::RoleUnknown { .. } => {
                "compare with the published pipeline.json; `trellis model fetch` downloads it"
            }
            Self::ConditionWidth { .. } => {
                "models and `image_cond_model` come from different releases: fetch the folder as a whole"
            }
            Self::ReferenceRefused { .. } => {
                "copy the checkpoint into the folder's `ckpts` and name it `ckpts/NAME` in pipeline.json"
            }
            Self::CheckpointMissing { .. } | Self::CheckpointHalf { .. } => {
                "`trellis model repair` takes it from another folder or downloads it"
            }
            Self::WouldDownload { .. } => {
                "TRELLIS would download it when it loads; `trellis model fetch` of this model puts it beside the others, where it can be locked"
            }
            Self::ConfigUnreadable { .. }
            | Self::ConfigArgument { .. }
            | Self::Weights { .. }
            | Self::Shape { .. }
            | Self::OddDtype { .. } => "`trellis model repair` replaces it by a sound copy",
            Self::ClassUnknown { .. } => {
                "it belongs to another program or a newer TRELLIS: fetch the published checkpoint"
            }
            Self::ClassDoesNotFit { .. } => {
                "it may load, but sampling fails: name the right checkpoint in pipeline.json, or `trellis model repair --undo` if a repair wrote it"
            }
            Self::ExtraMissing { .. } => "`trellis model fetch` does it now and verifies it",
            Self::LockMissing { .. } => "`trellis model lock` writes it",
            Self::LockUnreadable { .. } => {
                "restore it from version control, or write it anew with `trellis model lock`"
            }
            Self::LockedFileMissing { .. } | Self::LockedSize { .. } | Self::LockedHash { .. } => {
                "fetch the locked revision again with `trellis model fetch`; lock anew only if the change was meant"
            }
            Self::BlobHash { .. } => "`trellis model fetch` replaces it",
            Self::NotLocked { .. } => "write the lock anew with `trellis model lock`",
            Self::Unreadable { .. } => "make it readable for this user",
            Self::AsInNotes { .. } => {
                "`trellis model repair --undo` takes it back; `trellis model repair` then puts the real checkpoint in place"
            }
        }
    }
}

/// What is lost without a role that every job needs.
pub(crate) const EVERYTHING: &str = "no job can run";
