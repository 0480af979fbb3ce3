//! Worker → supervisor.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use trellis_core::{FailureKind, Format, JobId, Stage, StageTime};

/// What a worker says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromWorker {
    /// The first message, after torch was imported or failed to be.
    Hello {
        /// The worker's version of the protocol.
        protocol: u32,
        /// What is installed beside it, by name, as the packages say themselves: `python`, `torch`, `cuda`, …
        versions: BTreeMap<String, String>,
        /// The GPU that torch sees, if any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gpu: Option<GpuFacts>,
    },
    /// Loading went on.
    LoadProgress {
        /// What is being loaded, such as `slat_flow_model`, or `warm_up`.
        part: String,
        /// Parts done.
        step: u32,
        /// Parts there are.
        total: u32,
    },
    /// The pipeline is ready for jobs.
    Loaded {
        /// How long loading took, warm-up included.
        load_ms: u64,
        /// VRAM that torch holds now, 0 without a GPU.
        vram_bytes: u64,
        /// Whether it works in low-VRAM mode.
        low_vram: bool,
        /// The settings that make results repeatable, for the log.
        determinism: Vec<String>,
    },
    /// A job went on.
    Progress {
        /// The job.
        job: JobId,
        /// The stage being worked on.
        stage: Stage,
        /// Steps done in this stage, counted by the stage itself, 0 to `total`.
        step: u32,
        /// Steps that the stage has, at least 1.
        total: u32,
    },
    /// A file is whole and has its final name in the job's `out` folder.
    Artifact {
        /// The job.
        job: JobId,
        /// A plain file name.
        name: String,
        /// What it is.
        format: Format,
        /// Its size.
        size_bytes: u64,
    },
    /// What was sampled is whole in a file and has its final name in the job's `out` folder.
    Latents {
        /// The job.
        job: JobId,
        /// A plain file name.
        name: String,
        /// Its size.
        size_bytes: u64,
    },
    /// The job is finished; every artifact was reported.
    Done {
        /// The job.
        job: JobId,
        /// How long each stage took, in order.
        stages: Vec<StageTime>,
        /// The most VRAM that torch held during the job, 0 without a GPU.
        peak_vram_bytes: u64,
        /// VRAM that torch holds afterwards.
        vram_bytes: u64,
        /// Resident memory of the process afterwards.
        rss_bytes: u64,
        /// What a person should know of the result.
        notes: Vec<String>,
        /// Libraries that took part and whose licences allow no commercial use.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        non_commercial: Vec<String>,
    },
    /// The job, or with no job the load, failed.
    Failed {
        /// The job; none while loading.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        job: Option<JobId>,
        /// Why.
        #[serde(flatten)]
        report: FailedReport,
    },
    /// The job was stopped as asked.
    Cancelled {
        /// The job.
        job: JobId,
    },
    /// The answer to `ping`.
    Pong {
        /// Resident memory of the process.
        rss_bytes: u64,
        /// VRAM that torch holds.
        vram_bytes: u64,
    },
}

/// The GPU as torch sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GpuFacts {
    /// Its name.
    pub name: String,
    /// Its compute capability, such as `12.0`.
    pub capability: String,
    /// Its memory.
    pub memory_bytes: u64,
}

/// Why something failed. The first exception is the cause, whatever was raised while handling it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedReport {
    /// The stable kind.
    pub kind: FailureKind,
    /// What happened, one sentence for people.
    pub message: String,
    /// Each exception of the chain, first cause first, as `Type: text`.
    pub causes: Vec<String>,
    /// Python's own text, cut to 64 KiB; for the log.
    pub traceback: String,
    /// Whether the process should be replaced before another job: its state is in doubt.
    pub replace: bool,
}
