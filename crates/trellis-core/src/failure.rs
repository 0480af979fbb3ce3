//! Why a job failed: a stable kind, one sentence, and what to do about it.

use serde::{Deserialize, Serialize};

use crate::named;

named! {
    /// The kinds of failure, stable in JSON, metrics, docs and tests.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
    #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
    pub enum FailureKind: "a kind of failure" {
        /// The picture cannot be read.
        BadInput = "bad_input",
        /// No object was found in the picture.
        NoObject = "no_object",
        /// What stands out in the picture is not one object: its background is too busy.
        NoClearObject = "no_clear_object",
        /// The requested backend or format is not available.
        Unsupported = "unsupported",
        /// The job took longer than it may.
        TimeLimit = "time_limit",
        /// The worker died three times.
        WorkerLost = "worker_lost",
        /// For too long no server could do the job.
        NoServer = "no_server",
        /// A result could not be written.
        StorageFull = "storage_full",
        /// `pipeline.json` names a missing checkpoint.
        CheckpointMissing = "checkpoint_missing",
        /// A checkpoint is cut short or damaged.
        CheckpointCorrupt = "checkpoint_corrupt",
        /// Not enough GPU memory.
        GpuOutOfMemory = "gpu_out_of_memory",
        /// A library has no code for this GPU.
        NoKernelImage = "no_kernel_image",
        /// A compiled extension was built for another torch.
        ExtensionAbi = "extension_abi",
        /// A compiled extension is not installed.
        ExtensionMissing = "extension_missing",
        /// No NVIDIA driver was found.
        DriverMissing = "driver_missing",
        /// The NVIDIA driver is older than CUDA 12.8 needs.
        DriverTooOld = "driver_too_old",
        /// A result holds no geometry, or none that can be meant.
        ImplausibleResult = "implausible_result",
        /// Something tried to download at run time.
        OfflineDownloadAttempt = "offline_download_attempt",
        /// A defect of ours.
        Internal = "internal",
    }
}

impl FailureKind {
    /// What to do about it, one sentence.
    pub fn advice(self) -> &'static str {
        match self {
            Self::BadInput => {
                "change what the message names; if that is a picture, open it in a viewer and save it again as PNG, \
                 JPEG or WebP"
            }
            Self::NoObject => {
                "use a picture with one object on a plain background, or one with an alpha channel"
            }
            Self::NoClearObject => {
                "cut the object out, as a PNG with an alpha channel, or photograph it on a plain background"
            }
            Self::Unsupported => "ask for a format, a backend or a model that is named here",
            Self::TimeLimit => "use fewer steps or a smaller picture, or raise `limits.job_seconds`",
            Self::WorkerLost => "look at the server's log for what killed the worker, then submit again",
            Self::NoServer => {
                "start a server that can do it, then submit again; `trellis nodes` lists the servers"
            }
            Self::StorageFull => "free disk space in the data directory, then submit again",
            Self::CheckpointMissing => {
                "run `trellis model check` on the model's folder: it says how to get each file"
            }
            Self::CheckpointCorrupt => {
                "run `trellis model check --hash` on the model's folder, then fetch what is damaged again"
            }
            Self::GpuOutOfMemory => {
                "close other programs on the GPU, ask for a smaller `resolution` or `texture_size`, or start the \
                 server with `--low-vram` or `--trellis2-low-vram`"
            }
            Self::NoKernelImage => {
                "run `trellis doctor`: it lists which library has no code for this GPU and the fix"
            }
            Self::ExtensionAbi => {
                "run `trellis doctor`: it names the extension and the torch that it was built for"
            }
            Self::ExtensionMissing => "install what is named here, from the pinned set, or use the flake",
            Self::DriverMissing => {
                "install the NVIDIA driver; on NixOS set `hardware.graphics.enable = true`"
            }
            Self::DriverTooOld => "update the NVIDIA driver to 570.26 or newer, which CUDA 12.8 needs",
            Self::OfflineDownloadAttempt => "pin the named file with `trellis model fetch` and start again",
            Self::ImplausibleResult => {
                "submit again with another `seed`, or use a picture that shows the object more clearly"
            }
            Self::Internal => "report it with the job's id and the server's log",
        }
    }
}

/// Why a job failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[error("{message}")]
pub struct Failure {
    /// The stable kind.
    pub kind: FailureKind,
    /// What happened, for people; no paths of the server.
    pub message: String,
    /// What to do.
    pub fix: String,
}

impl Failure {
    /// A failure with the kind's own advice.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            fix: kind.advice().to_owned(),
        }
    }
}
