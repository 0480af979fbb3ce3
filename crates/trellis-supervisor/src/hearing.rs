//! What a worker's messages mean: progress and files go straight to the job's caller, the rest are events.

use tokio::time::Instant;
use tracing::{info, warn};
use trellis_core::{JobId, Progress, Timings};

use crate::cause::{Cause, Doing};
use crate::driver::Driver;
use crate::protocol::{FailedReport, FromWorker, PROTOCOL};
use crate::state::Event;
use crate::ticket::{Ended, File, Finished, Update};

impl Driver {
    /// The event that a message is; `None` where it changes no state.
    pub(crate) fn heard(&mut self, message: FromWorker) -> Option<Event> {
        match message {
            FromWorker::Hello { .. } | FromWorker::LoadProgress { .. } | FromWorker::Loaded { .. } => {
                self.heard_of_start(message)
            }
            FromWorker::Progress {
                job,
                stage,
                step,
                total,
            } => {
                if self.holds(job) {
                    self.progress(Doing::Stage(stage));
                    self.record.doing = format!("stage `{stage}`, step {step} of {total}");
                    self.tell(Update::Progress(Progress { stage, step, total }));
                }
                None
            }
            FromWorker::Artifact {
                job,
                name,
                format,
                size_bytes,
            } => {
                if self.holds(job) {
                    self.tell(Update::File(File {
                        name,
                        format,
                        size_bytes,
                    }));
                }
                None
            }
            FromWorker::Done {
                job,
                stages,
                peak_vram_bytes,
                vram_bytes,
                rss_bytes,
                notes,
            } => {
                let counters = &mut self.record.counters;
                counters.jobs_done += 1;
                counters.rss_bytes = rss_bytes;
                counters.vram_bytes = vram_bytes;
                counters.peak_vram_bytes = counters.peak_vram_bytes.max(peak_vram_bytes);
                let low_vram = self.record.low_vram;
                self.ended = Some(Ended::Done(Finished {
                    timings: Timings {
                        stages,
                        peak_vram_bytes: Some(peak_vram_bytes).filter(|bytes| *bytes > 0),
                    },
                    low_vram,
                    notes,
                    made_with: self.record.works_with.clone(),
                }));
                let replace = self.is_worn(Some((rss_bytes, vram_bytes)));
                Some(Event::Ended { job, replace })
            }
            FromWorker::Failed {
                job: Some(job),
                report,
            } => Some(self.heard_of_failure(job, report)),
            FromWorker::Failed { job: None, report } => Some(Event::Lost(Cause::LoadFailed(report))),
            FromWorker::Cancelled { job } => {
                self.ended = Some(Ended::Cancelled);
                Some(Event::Ended { job, replace: false })
            }
            FromWorker::Pong {
                rss_bytes,
                vram_bytes,
            } => {
                self.record.counters.rss_bytes = rss_bytes;
                self.record.counters.vram_bytes = vram_bytes;
                None
            }
        }
    }

    fn heard_of_start(&mut self, message: FromWorker) -> Option<Event> {
        let worker = &self.record.name;
        match message {
            FromWorker::Hello { protocol, .. } if protocol != PROTOCOL => {
                Some(Event::Lost(Cause::WrongProtocol { found: protocol }))
            }
            FromWorker::Hello { versions, gpu, .. } => {
                info!(%worker, ?versions, ?gpu, "worker_hello");
                let driver = self.parts.launcher.driver.clone();
                self.record.installed(versions, gpu, driver);
                Some(Event::Hello)
            }
            FromWorker::LoadProgress { part, step, total } => {
                self.record.doing = format!("loading `{part}`, {step} of {total}");
                self.progress(Doing::Load);
                None
            }
            FromWorker::Loaded {
                load_ms,
                vram_bytes,
                low_vram,
                determinism,
            } => {
                info!(%worker, load_ms, vram_bytes, low_vram, ?determinism, "worker_loaded");
                self.record.counters.vram_bytes = vram_bytes;
                if let Some(running) = &mut self.running {
                    running.clocks.idle(Instant::now());
                }
                Some(Event::Loaded)
            }
            _ => None,
        }
    }

    fn heard_of_failure(&mut self, job: JobId, report: FailedReport) -> Event {
        self.record.counters.jobs_failed += 1;
        warn!(worker = %self.record.name, %job, kind = report.kind.name(), causes = ?report.causes,
            traceback = report.traceback, "worker_job_failed");
        let replace = self.is_worn(None) || report.replace;
        self.ended = Some(Ended::Failed(report));
        Event::Ended { job, replace }
    }

    fn holds(&self, job: JobId) -> bool {
        self.state.job() == Some(job)
    }

    fn is_worn(&mut self, held: Option<(u64, u64)>) -> bool {
        let limits = &self.parts.limits;
        self.running
            .as_mut()
            .is_some_and(|running| self.record.is_worn(limits, running, held))
    }
}
