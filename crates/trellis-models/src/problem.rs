//! What can be wrong with a model folder: one variant each, with where it is, its name, its weight and what to do.

use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};
use trellis_core::{Model, Severity, Told};

use crate::config::BadArgument;
use crate::extras::ExtraFault;
use crate::header::HeaderError;
use crate::moves::{self, Misplaced, Move};
use crate::numbers::Numbers;
use crate::read::ReadError;
use crate::reference::Refused;
use crate::stand_in::StandIn;

trellis_core::explained! {
    /// A fault or a risk, found by `check`.
    #[derive(Debug, thiserror::Error)]
    #[expect(missing_docs, reason = "each variant's sentence says what its fields are")]
    pub enum Problem {
        /// `near` is a folder that holds one.
        #[error("`{}` has no pipeline.json{}", folder.display(), in_another(near.as_deref()))]
        PipelineMissing { folder: PathBuf, near: Option<PathBuf> } = "pipeline_missing",
            "name the folder with pipeline.json, or download one with `trellis model fetch`";
        /// Where a folder of one model is to serve as another's.
        #[error("this is a folder of `{found}`, not of `{wanted}`")]
        OtherFamily { found: Model, wanted: Model } = "other_family", match found {
            Model::Trellis2 => "name a folder of TRELLIS-image-large, or name this one as `trellis2.model`",
            Model::TrellisImageLarge => "name a folder of TRELLIS.2-4B, or name this one as `trellis.model`",
        };
        #[error("pipeline.json cannot be used")]
        PipelineUnreadable { #[source] source: ReadError } = "pipeline_unreadable", match source {
            ReadError::StandIn { found: StandIn::ByteOrderMark | StandIn::Utf16, .. } => {
                "save it as UTF-8 without a byte-order mark, or restore it with `trellis model fetch`"
            }
            _ => RESTORE_PIPELINE,
        };
        #[error("pipeline.json asks for the pipeline `{name}`, which is not one of TRELLIS's")]
        PipelineUnknown { name: String } = "pipeline_unknown", RESTORE_PIPELINE;
        #[error("pipeline.json has no model for `{role}`: {lost}")]
        RoleMissing { role: &'static str, lost: &'static str } = "role_missing", COMPARE_PIPELINE,
            if *lost == EVERYTHING { Severity::Error } else { Severity::Warning };
        #[error("pipeline.json has a model for `{role}`, a role that TRELLIS does not know")]
        RoleUnknown { role: String } = "role_unknown", COMPARE_PIPELINE, Severity::Warning;
        #[error("setting `{setting}` of pipeline.json {fault}")]
        Setting { setting: String, fault: String } = "setting", RESTORE_PIPELINE;
        #[error("`{role}` expects features of width {expected}, but `{network}` gives {found}")]
        ConditionWidth { role: &'static str, network: String, expected: u64, found: u64 } = "condition_width",
            "models and `image_cond_model` come from different releases: fetch the folder as a whole";

        #[error("the checkpoint name {text:?} for `{role}` is refused: {reason}")]
        ReferenceRefused { role: String, text: String, reason: Refused } = "reference_refused",
            "copy the checkpoint into the folder's `ckpts` and name it `ckpts/NAME` in pipeline.json";
        #[error("checkpoint `{name}` is named in pipeline.json for `{role}` but is missing")]
        CheckpointMissing { name: String, role: String } = "checkpoint_missing", TAKE_OR_DOWNLOAD;
        #[error("checkpoint `{name}` is incomplete: `{missing}` is missing")]
        CheckpointHalf { name: String, missing: String } = "checkpoint_missing", TAKE_OR_DOWNLOAD;
        #[error("`{file}`, part of TRELLIS.2's picture encoder DINOv3, is missing")]
        EncoderMissing { file: String } = "checkpoint_missing",
            "`trellis model fetch trellis2-4b --to DIR` adds what this folder lacks";
        #[error("`{file}`, TRELLIS.2's encoder of shapes, is missing: no given mesh can be textured")]
        ShapeEncoderMissing { file: String } = "shape_encoder_missing",
            "`trellis model fetch trellis2-4b --to DIR` adds it; jobs from pictures alone do not need it", Severity::Warning;
        #[error("checkpoint `{name}` is the published one, but its configuration is not: `{argument}` differs")]
        ConfigDiffers { name: String, argument: String } = "config_differs",
            "delete its `.json`: this program knows the published configuration";
        #[error("`{name}` is in the wrong place: {}", moves::sentence(moves))]
        Misplaced { name: String, moves: Vec<Move> } = "misplaced",
            "`trellis model repair` moves it, and `--undo` moves it back; `--dry-run` only shows the plan";
        #[error("`{file}` is a broken link: `{}` does not exist", target.display())]
        DanglingLink { file: String, target: PathBuf } = "dangling_link",
            "`trellis model fetch` restores what a hub cache is missing; in a folder of your own `trellis model repair` replaces the link";
        #[error("checkpoint `{name}` for `{role}` is in another repository, `{repo}`, and not on this machine")]
        WouldDownload { name: String, role: String, repo: String } = "would_download",
            "TRELLIS would download it when it loads; `trellis model fetch` of this model puts it beside the others, where it can be locked",
            Severity::Warning;
        #[error("checkpoint `{name}` has no usable configuration")]
        ConfigUnreadable { name: String, #[source] source: ReadError } = "config_unreadable", REPLACE;
        #[error("checkpoint `{name}` has an incomplete configuration: {reason}")]
        ConfigArgument { name: String, reason: BadArgument } = "config_argument", REPLACE;
        #[error("checkpoint `{name}` is of class `{class}`, which TRELLIS does not have")]
        ClassUnknown { name: String, class: String } = "class_unknown",
            "it belongs to another program or a newer TRELLIS: fetch the published checkpoint";
        #[error("checkpoint `{name}` is of class `{class}`, which cannot be the `{role}`")]
        ClassDoesNotFit { name: String, class: String, role: &'static str } = "class_does_not_fit",
            "it may load, but sampling fails: name the right checkpoint in pipeline.json, or `trellis model repair --undo` if a repair changed it";
        #[error("checkpoint `{name}` is damaged: {reason}")]
        Weights { name: String, reason: HeaderError } = match reason {
            HeaderError::Truncated { .. } => "truncated",
            HeaderError::TrailingBytes { .. } => "trailing_bytes",
            HeaderError::StandIn(found) => stand_in(*found),
            HeaderError::HeaderTooLong { .. } | HeaderError::Malformed { .. } => "checkpoint_corrupt",
            HeaderError::Read { .. } => "unreadable",
        }, REPLACE;
        #[error("checkpoint `{name}` does not fit its configuration: {fault}")]
        Shape { name: String, fault: String } = "shape", REPLACE;
        #[error("checkpoint `{name}` holds tensors of type {dtypes}, where TRELLIS's are floating point")]
        OddDtype { name: String, dtypes: String } = "odd_dtype", REPLACE, Severity::Warning;

        #[error("checkpoint `{name}` is damaged: {reason}")]
        Numbers { name: String, reason: Numbers } = match reason {
            Numbers::ZeroTail { .. } | Numbers::Holes { .. } => "zeros",
            Numbers::Nan { .. } => "nan",
        }, REPLACE;
        /// Tensors and their elements.
        #[error(
            "checkpoint `{name}` has {} tensors with {} numbers, the published one {} with {}",
            found.0, found.1, expected.0, expected.1
        )]
        Counts { name: String, found: (u64, u64), expected: (u64, u64) } = "counts", REPLACE;

        #[error("the download of `{}` is unfinished: aria2's `{}` is still there", file.display(), left.display())]
        DownloadUnfinished { file: PathBuf, left: PathBuf } = "download_unfinished",
            "let aria2 finish it, or delete both files and use `trellis model repair`";
        #[error("`{}` is left over from an unfinished download", left.display())]
        DownloadLeftover { left: PathBuf } = "download_leftover", "delete it once its file is complete",
            Severity::Warning;

        #[error("{what} cannot be used: `{}`", path.display())]
        ExtraBroken { what: &'static str, path: PathBuf, #[source] source: ExtraFault } = match source {
            ExtraFault::StandIn(found) => stand_in(*found),
            ExtraFault::Truncated { .. } | ExtraFault::NoEndRecord => "truncated",
            ExtraFault::ZeroTail { .. } => "zeros",
            ExtraFault::Misfit
            | ExtraFault::NotTorch
            | ExtraFault::NotOnnx
            | ExtraFault::CodeIncomplete { .. } => "extra_corrupt",
            ExtraFault::NotAFile | ExtraFault::Read(_) => "unreadable",
        }, "delete it; `trellis model fetch` downloads and verifies it";
        #[error(
            "{what}: `{}` is not the published file, it has {found} bytes instead of {expected}", path.display()
        )]
        ExtraDiffers { what: &'static str, path: PathBuf, found: u64, expected: u64 } = "extra_differs",
            "if it was not put there on purpose, delete it; `trellis model fetch` downloads the published one",
            Severity::Warning;
        #[error("{what} would be downloaded at the first job: `{}` is missing", path.display())]
        ExtraMissing { what: &'static str, path: PathBuf } = "extra_missing",
            "`trellis model fetch` does it now and verifies it", Severity::Warning;

        #[error("there is no lock at `{}`", path.display())]
        LockMissing { path: PathBuf } = "lock_missing", "`trellis model lock` writes it";
        #[error("the lock cannot be used")]
        LockUnreadable { #[source] source: ReadError } = "lock_unreadable",
            "restore it from version control, or write it again with `trellis model lock`";
        #[error("`{file}` is locked but missing")]
        LockedFileMissing { file: String } = "locked_file_missing", FETCH_LOCKED;
        #[error("`{file}` has {found} bytes, the lock says {expected}")]
        LockedSize { file: String, found: u64, expected: u64 } = "locked_size", FETCH_LOCKED;
        #[error("`{file}` has sha256 {found}, the lock says {expected}")]
        LockedHash { file: String, found: String, expected: String } = "locked_hash", FETCH_LOCKED;
        #[error("`{file}` has the digest {found}, but the cache keeps it as {expected}")]
        BlobHash { file: String, found: String, expected: String } = "blob_hash", "`trellis model fetch` replaces it";
        #[error("`{file}` has {found} bytes, the published file {expected}")]
        PinnedSize { file: String, found: u64, expected: u64 } = "pinned_size", FETCH_PUBLISHED;
        /// So many public sources give the digest; where it was put together, with 0 of them, a difference may be
        /// ours.
        #[error("`{file}` has the digest {found}, the published file {expected} ({})", by_sources(*sources))]
        PinnedHash { file: String, found: String, expected: String, sources: u32 } = "pinned_hash", FETCH_PUBLISHED,
            if *sources == 0 { Severity::Warning } else { Severity::Error };
        #[error("`{file}` is read by TRELLIS but is not in the lock")]
        NotLocked { file: String } = "not_locked", "write the lock again with `trellis model lock`", Severity::Warning;
        #[error("`{}` cannot be read", path.display())]
        Unreadable { path: PathBuf, #[source] source: std::io::Error } = "unreadable",
            "make it readable for this user";

        #[error("this folder has a substitute flow model: {reason}")]
        SubstituteFlowModel { reason: String } = "as_in_notes",
            "undo it with `trellis model repair --undo`; `trellis model repair` then restores the real checkpoint";
    }
}

/// What is lost without a role that every job needs.
pub(crate) const EVERYTHING: &str = "no job can run";

const RESTORE_PIPELINE: &str = "restore pipeline.json with `trellis model fetch`, or `trellis model repair --undo` if a repair changed it";
const COMPARE_PIPELINE: &str = "compare with the published pipeline.json; `trellis model fetch` downloads it";
const TAKE_OR_DOWNLOAD: &str = "`trellis model repair` takes it from another folder or downloads it";
const REPLACE: &str = "`trellis model repair` replaces it with an intact copy";
const FETCH_LOCKED: &str =
    "fetch the locked revision again with `trellis model fetch`; lock it again only if the change was meant";
const FETCH_PUBLISHED: &str = "it is damaged or not the published file: `trellis model fetch` downloads the published one, `trellis model lock` pins your own";

fn in_another(near: Option<&Path>) -> String {
    near.map_or_else(String::new, |near| format!(", but `{}` does", near.display()))
}

fn by_sources(sources: u32) -> String {
    match sources {
        0 => "assembled from published values".to_owned(),
        1 => "by one public source".to_owned(),
        many => format!("by {many} public sources"),
    }
}

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

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Told::weighed(self).serialize(serializer)
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
