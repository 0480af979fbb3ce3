//! What is known of one worker: what it is doing, why it failed, what it did so far.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing::{info, warn};
use trellis_backend::MadeWith;
use trellis_core::{Failure, FailureKind, GpuUsed, RestartKind, Timings, WorkerCounters, WorkerStatus};

use crate::cause::Cause;
use crate::limits::Limits;
use crate::messages::{JobReport, Memory};
use crate::protocol::GpuFacts;
use crate::running::Running;
use crate::state::State;
use crate::ticket::Finished;
use trellis_core::Gpu;

/// Packages in the order in which they tell most; the rest follow by name.
const TELLING: [&str; 6] = ["python", "torch", "cuda", "xformers", "spconv", "kaolin"];

/// A worker as the rest of the supervisor sees it.
#[derive(Debug, Clone)]
pub(crate) struct WorkerSnapshot {
    pub(crate) status: WorkerStatus,
    /// Its starts failed so often that jobs should not wait for it.
    pub(crate) broken: bool,
}

/// The record of a worker, over all its processes.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) name: Arc<str>,
    /// What it is doing, for people.
    pub(crate) doing: String,
    /// For people, the most telling first.
    pub(crate) versions: Vec<String>,
    /// What its process says it works with.
    pub(crate) works_with: MadeWith,
    pub(crate) counters: WorkerCounters,
    /// Log lines dropped, counted by the readers.
    pub(crate) dropped: Arc<AtomicU64>,
    /// The mode that the worker was last told.
    pub(crate) low_vram: bool,
    /// The mode that its process was started in.
    pub(crate) started_low: bool,
    /// Whether the next start asks for less memory.
    pub(crate) lower: bool,
    failure: Option<Failure>,
    /// Why the next process starts, where there was one before.
    restart: Option<RestartKind>,
}

impl Record {
    pub(crate) fn new(name: Arc<str>) -> Self {
        Self {
            name,
            doing: String::new(),
            versions: Vec::new(),
            works_with: MadeWith::default(),
            counters: WorkerCounters::default(),
            dropped: Arc::default(),
            low_vram: false,
            started_low: false,
            lower: false,
            failure: None,
            restart: None,
        }
    }

    /// It is ready: what failed before is over.
    pub(crate) fn ready(&mut self) {
        self.failure = None;
        self.doing.clear();
    }

    /// It is lost.
    pub(crate) fn loss(&mut self, state: &State, cause: &Cause) {
        if !state.has_process() {
            return;
        }
        self.counters.losses += 1;
        if let Cause::LoadFailed(report) = cause {
            warn!(worker = %self.name, kind = report.kind.name(), message = report.message,
                causes = ?report.causes, traceback = report.traceback, "worker_load_failed");
        } else {
            warn!(worker = %self.name, state = %state.shown(), %cause, "worker_lost");
        }
        let is_loading = matches!(state, State::Loading { .. });
        self.lower |= is_loading && cause.kind() == FailureKind::GpuOutOfMemory;
        self.failure = Some(cause.failure());
        self.restart = Some(cause.restart());
    }

    /// Its process is to be replaced. The first reason is the one that counts.
    pub(crate) fn replaced(&mut self, kind: RestartKind) {
        self.restart.get_or_insert(kind);
    }

    /// It has no process, on purpose: the next one takes nobody's place.
    pub(crate) fn stopped(&mut self) {
        self.restart = None;
    }

    /// Another process is started for it.
    pub(crate) fn started(&mut self) {
        self.counters.starts += 1;
        if let Some(kind) = self.restart.take() {
            *self.counters.restarts.entry(kind).or_default() += 1;
        }
        "importing torch".clone_into(&mut self.doing);
    }

    /// What it says is installed, and the GPU that it sees through that driver.
    pub(crate) fn installed(
        &mut self,
        versions: BTreeMap<String, String>,
        gpu: Option<GpuFacts>,
        driver: Option<String>,
    ) {
        let telling = |name: &str| TELLING.iter().position(|telling| *telling == name);
        let mut shown: Vec<(&String, &String)> = versions.iter().collect();
        shown.sort_by_key(|(name, _)| telling(name).unwrap_or(TELLING.len()));
        self.versions = shown
            .into_iter()
            .map(|(name, version)| format!("{name} {version}"))
            .collect();
        self.works_with = MadeWith {
            gpu: gpu.map(|gpu| GpuUsed {
                name: gpu.name,
                capability: gpu.capability,
                driver,
            }),
            versions,
            non_commercial: Vec::new(),
            tuning: None,
        };
    }

    /// What its process holds now.
    pub(crate) fn holds(&mut self, memory: Memory) {
        self.counters.rss_bytes = memory.rss;
        self.counters.vram_bytes = memory.vram;
    }

    /// Counts a job that is done, and says what it took.
    pub(crate) fn finished(&mut self, report: JobReport) -> Finished {
        let peak = report.peak_vram_bytes;
        self.holds(report.memory);
        self.counters.jobs_done += 1;
        self.counters.peak_vram_bytes = self.counters.peak_vram_bytes.max(peak);
        Finished {
            timings: Timings {
                stages: report.stages,
                peak_vram_bytes: Some(peak).filter(|bytes| *bytes > 0),
            },
            low_vram: self.low_vram,
            notes: report.notes,
            made_with: MadeWith {
                non_commercial: report.non_commercial,
                ..self.works_with.clone()
            },
        }
    }

    /// Counts a job of a process. Whether the process should now be replaced: it served many, or what it
    /// holds between jobs grew.
    pub(crate) fn should_recycle(
        &mut self,
        limits: &Limits,
        running: &mut Running,
        held: Option<Memory>,
    ) -> bool {
        running.jobs += 1;
        let grown = held.is_some_and(|memory| {
            let first = *running.baseline.get_or_insert(memory);
            memory.rss > first.rss.saturating_add(limits.rss_growth_bytes)
                || memory.vram > first.vram.saturating_add(limits.vram_growth_bytes)
        });
        let replace = grown || running.jobs >= limits.jobs_per_process;
        if replace {
            self.counters.recycles += 1;
            self.replaced(if grown {
                RestartKind::Memory
            } else {
                RestartKind::Jobs
            });
            info!(worker = %self.name, jobs = running.jobs, grown, ?held, "worker_recycled");
        }
        replace
    }

    /// As the rest of the supervisor sees it.
    pub(crate) fn snapshot(
        &mut self,
        state: &State,
        limits: &Limits,
        gpu: Option<&Gpu>,
        pid: Option<u32>,
    ) -> WorkerSnapshot {
        self.counters.lines_dropped = self.dropped.load(Ordering::Relaxed);
        let failures = match state {
            State::Starting { failures } | State::Loading { failures } | State::Failed { failures } => {
                *failures
            }
            _ => 0,
        };
        let reason = match (&self.failure, state) {
            (_, State::Stopped) => "stopped until `trellis workers restart`".to_owned(),
            (_, State::Ready) => "waiting for a job".to_owned(),
            (Some(failure), State::Failed { .. }) => format!("{}; {}", failure.message, self.doing),
            _ => self.doing.clone(),
        };
        let status = WorkerStatus {
            name: self.name.to_string(),
            state: state.shown(),
            reason,
            failure: self.failure.clone(),
            job: state.job(),
            pid,
            gpu: gpu.map(|gpu| gpu.uuid.clone()),
            gpu_name: gpu.map(|gpu| gpu.name.clone()),
            low_vram: self.low_vram,
            versions: self.versions.clone(),
            counters: self.counters.clone(),
        };
        WorkerSnapshot {
            status,
            broken: failures >= limits.broken_after || *state == State::Stopped,
        }
    }
}
