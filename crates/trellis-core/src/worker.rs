//! A worker as people see it: a process that a backend keeps for its jobs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Failure, JobId, named};

named! {
    /// Where a worker stands.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
    #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
    pub enum WorkerState: "a state of a worker" {
        /// Its process was started and has not spoken yet.
        Starting = "starting",
        /// It loads its models.
        Loading = "loading",
        /// It waits for a job.
        Ready = "ready",
        /// It works on a job.
        Busy = "busy",
        /// It ends its job and takes no other.
        Draining = "draining",
        /// It has no process, and none will be started until somebody asks.
        Stopped = "stopped",
        /// Its process failed; another one is started after a while.
        Failed = "failed",
    }
}

/// A worker and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WorkerStatus {
    /// Its name, such as `trellis-0`.
    pub name: String,
    /// Where it stands.
    pub state: WorkerState,
    /// What it is doing or why it is not, one sentence.
    pub reason: String,
    /// Why it last failed, if it has not been ready since.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failure: Option<Failure>,
    /// The job it works on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub job: Option<JobId>,
    /// The process.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pid: Option<u32>,
    /// The GPU it was given, by its UUID.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub gpu: Option<String>,
    /// The GPU's name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub gpu_name: Option<String>,
    /// Whether it keeps its models in main memory between stages.
    pub low_vram: bool,
    /// Its versions, such as `torch 2.9.1+cu128`.
    pub versions: Vec<String>,
    /// What it did so far.
    pub counters: WorkerCounters,
}

named! {
    /// Why a worker's process was replaced by another.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
    #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
    pub enum RestartKind: "a reason for a restart" {
        /// It ended by itself: an exit, a signal, a closed socket.
        Crash = "crash",
        /// It no longer answered, made no progress, or did not stop a job.
        Hang = "hang",
        /// It ran out of memory, found too little for its start, or grew too large.
        Memory = "memory",
        /// It could not be started, or could not load its models.
        Start = "start",
        /// Its messages could not be understood.
        Protocol = "protocol",
        /// A job failed in a way that leaves its state in doubt.
        Doubt = "doubt",
        /// It served as many jobs as a process may.
        Jobs = "jobs",
        /// Somebody asked for it.
        Command = "command",
    }
}

/// What a worker did since the server started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WorkerCounters {
    /// Processes started.
    pub starts: u64,
    /// Processes lost: exits, crashes, stalls, missed heartbeats, broken messages.
    pub losses: u64,
    /// Processes replaced on purpose: after many jobs, or grown too large.
    pub recycles: u64,
    /// Processes started in place of an earlier one, by why that one went; what did not happen is left out.
    #[serde(default)]
    pub restarts: BTreeMap<RestartKind, u64>,
    /// Jobs ended with a result.
    pub jobs_done: u64,
    /// Jobs ended without one.
    pub jobs_failed: u64,
    /// Log lines of the process that were dropped because there were too many.
    pub lines_dropped: u64,
    /// Resident memory of the process when it last told.
    pub rss_bytes: u64,
    /// VRAM that it held when it last told.
    pub vram_bytes: u64,
    /// The most VRAM that a job needed.
    pub peak_vram_bytes: u64,
}

named! {
    /// What somebody may ask of a worker.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
    #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
    pub enum WorkerCommand: "a command to a worker" {
        /// End the job, then replace the process; a stopped worker starts again.
        Restart = "restart",
        /// End the job, then stop.
        Drain = "drain",
    }
}
