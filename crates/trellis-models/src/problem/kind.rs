//! Each problem's stable name, its weight and what to do about it.

use serde::Serialize;

use super::Problem;
use crate::extras::ExtraFault;
use crate::header::HeaderError;
use crate::numbers::Numbers;
use crate::read::ReadError;
use crate::stand_in::StandIn;

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
            Self::Trellis2 { .. } => "other_family",
            Self::PipelineUnreadable { .. } => "pipeline_unreadable",
            Self::PipelineUnknown { .. } => "pipeline_unknown",
            Self::RoleMissing { .. } => "role_missing",
            Self::RoleUnknown { .. } => "role_unknown",
            Self::Setting { .. } => "setting",
            Self::ConditionWidth { .. } => "condition_width",
            Self::ReferenceRefused { .. } => "reference_refused",
            Self::CheckpointMissing { .. } | Self::CheckpointHalf { .. } => "checkpoint_missing",
            Self::Misplaced { .. } => "misplaced",
            Self::DanglingLink { .. } => "dangling_link",
            Self::WouldDownload { .. } => "would_download",
            Self::ConfigUnreadable { .. } => "config_unreadable",
            Self::ConfigArgument { .. } => "config_argument",
            Self::ClassUnknown { .. } => "class_unknown",
            Self::ClassDoesNotFit { .. } => "class_does_not_fit",
            Self::Weights { reason, .. } => match reason {
                HeaderError::Truncated { .. } => "truncated",
                HeaderError::TrailingBytes { .. } => "trailing_bytes",
                HeaderError::StandIn(found) => stand_in(*found),
                HeaderError::HeaderTooLong { .. } | HeaderError::Malformed { .. } => "checkpoint_corrupt",
                HeaderError::Read { .. } => "unreadable",
            },
            Self::Shape { .. } => "shape",
            Self::OddDtype { .. } => "odd_dtype",
            Self::Numbers { reason, .. } => match reason {
                Numbers::ZeroTail { .. } | Numbers::Holes { .. } => "zeros",
                Numbers::Nan { .. } => "nan",
            },
            Self::Counts { .. } => "counts",
            Self::DownloadUnfinished { .. } => "download_unfinished",
            Self::DownloadLeftover { .. } => "download_leftover",
            Self::ExtraBroken { source, .. } => match source {
                ExtraFault::StandIn(found) => stand_in(*found),
                ExtraFault::Truncated { .. } | ExtraFault::NoEndRecord => "truncated",
                ExtraFault::ZeroTail { .. } => "zeros",
                ExtraFault::Misfit
                | ExtraFault::NotTorch
                | ExtraFault::NotOnnx
                | ExtraFault::CodeIncomplete { .. } => "extra_corrupt",
                ExtraFault::NotAFile | ExtraFault::Read(_) => "unreadable",
            },
            Self::ExtraDiffers { .. } => "extra_differs",
            Self::ExtraMissing { .. } => "extra_missing",
            Self::LockMissing { .. } => "lock_missing",
            Self::LockUnreadable { .. } => "lock_unreadable",
            Self::LockedFileMissing { .. } => "locked_file_missing",
            Self::LockedSize { .. } => "locked_size",
            Self::LockedHash { .. } => "locked_hash",
            Self::BlobHash { .. } => "blob_hash",
            Self::PinnedSize { .. } => "pinned_size",
            Self::PinnedHash { .. } => "pinned_hash",
            Self::NotLocked { .. } => "not_locked",
            Self::Unreadable { .. } => "unreadable",
            Self::SubstituteFlowModel { .. } => "as_in_notes",
        }
    }

    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            Self::RoleUnknown { .. }
            | Self::WouldDownload { .. }
            | Self::OddDtype { .. }
            | Self::DownloadLeftover { .. }
            | Self::ExtraDiffers { .. }
            // Nobody vouches for a digest that was put together: a difference may be ours.
            | Self::PinnedHash { sources: 0, .. }
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
                "name the folder with pipeline.json, or download one with `trellis model fetch`"
            }
            Self::Trellis2 { .. } => {
                "this program runs TRELLIS: name a folder of TRELLIS-image-large, which `trellis model fetch` downloads"
            }
            Self::PipelineUnreadable {
                source:
                    ReadError::StandIn {
                        found: StandIn::ByteOrderMark | StandIn::Utf16,
                        ..
                    },
            } => "save it as UTF-8 without a byte-order mark, or restore it with `trellis model fetch`",
            Self::PipelineUnreadable { .. } | Self::PipelineUnknown { .. } | Self::Setting { .. } => {
                "restore pipeline.json with `trellis model fetch`, or `trellis model repair --undo` if a repair changed it"
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
            Self::Misplaced { .. } => {
                "`trellis model repair` moves it, and `--undo` moves it back; `--dry-run` only shows the plan"
            }
            Self::DanglingLink { .. } => {
                "`trellis model fetch` restores what a hub cache is missing; in a folder of your own `trellis model repair` replaces the link"
            }
            Self::WouldDownload { .. } => {
                "TRELLIS would download it when it loads; `trellis model fetch` of this model puts it beside the others, where it can be locked"
            }
            Self::ConfigUnreadable { .. }
            | Self::ConfigArgument { .. }
            | Self::Weights { .. }
            | Self::Shape { .. }
            | Self::Numbers { .. }
            | Self::Counts { .. }
            | Self::OddDtype { .. } => "`trellis model repair` replaces it with an intact copy",
            Self::ClassUnknown { .. } => {
                "it belongs to another program or a newer TRELLIS: fetch the published checkpoint"
            }
            Self::ClassDoesNotFit { .. } => {
                "it may load, but sampling fails: name the right checkpoint in pipeline.json, or `trellis model repair --undo` if a repair changed it"
            }
            Self::DownloadUnfinished { .. } => {
                "let aria2 finish it, or delete both files and use `trellis model repair`"
            }
            Self::DownloadLeftover { .. } => "delete it once its file is complete",
            Self::ExtraBroken { .. } => "delete it; `trellis model fetch` downloads and verifies it",
            Self::ExtraDiffers { .. } => {
                "if it was not put there on purpose, delete it; `trellis model fetch` downloads the published one"
            }
            Self::ExtraMissing { .. } => "`trellis model fetch` does it now and verifies it",
            Self::LockMissing { .. } => "`trellis model lock` writes it",
            Self::LockUnreadable { .. } => {
                "restore it from version control, or write it again with `trellis model lock`"
            }
            Self::LockedFileMissing { .. } | Self::LockedSize { .. } | Self::LockedHash { .. } => {
                "fetch the locked revision again with `trellis model fetch`; lock it again only if the change was meant"
            }
            Self::BlobHash { .. } => "`trellis model fetch` replaces it",
            Self::PinnedSize { .. } | Self::PinnedHash { .. } => {
                "it is damaged or not the published file: `trellis model fetch` downloads the published one, `trellis model lock` pins your own"
            }
            Self::NotLocked { .. } => "write the lock again with `trellis model lock`",
            Self::Unreadable { .. } => "make it readable for this user",
            Self::SubstituteFlowModel { .. } => {
                "undo it with `trellis model repair --undo`; `trellis model repair` then restores the real checkpoint"
            }
        }
    }
}

/// What is lost without a role that every job needs.
pub(crate) const EVERYTHING: &str = "no job can run";

/// The kind of what lies there instead of a file.
fn stand_in(found: StandIn) -> &'static str {
    match found {
        StandIn::Empty => "empty",
        StandIn::Zeros => "zeros",
        StandIn::LfsPointer => "lfs_pointer",
        StandIn::WebPage => "web_page",
        StandIn::ServerMessage => "server_message",
        StandIn::Utf16 | StandIn::ByteOrderMark | StandIn::Gzip | StandIn::NotAnObject => {
            "checkpoint_corrupt"
        }
    }
}
