//! `/metrics`: figures for Prometheus, in its text format 0.0.4.
//!
//! Names follow Prometheus's conventions: base units, `_total` for what only grows. What grows is counted since this
//! process started; jobs, workers, GPUs and the process are looked at when somebody asks (`metrics/seen.rs`). Not here:
//! who may ask (`authorize.rs`), and what they are asked for (`scrape.rs`).

mod make;
mod process;
mod seen;
mod since_start;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, Registry, TextEncoder};
use tracing::warn;
use trellis_core::{Gpu, Job, JobState, WorkerStatus};
use trellis_jobs::{JobObserver, StoreStats, WaitingDeliveries};
use trellis_webhook::{DeliveryObserver, DeliveryOutcome};

use self::make::Make;
pub use self::make::{Family, FamilyKind};
use self::seen::Seen;
pub(crate) use self::since_start::SinceStart;

/// From a picture that is refused to a long download.
const REQUEST_SECONDS: [f64; 11] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0];
/// From a preview's stages to TRELLIS's on a small GPU.
const STAGE_SECONDS: [f64; 11] = [0.01, 0.05, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0];
/// From an idle server to a full queue.
const WAIT_SECONDS: [f64; 10] = [0.01, 0.1, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0];

/// What is measured. Clones share it.
#[derive(Clone)]
pub struct Metrics(Arc<Figures>);

struct Figures {
    registry: Registry,
    families: Vec<Family>,
    requests: IntCounterVec,
    request_seconds: HistogramVec,
    accepted: IntCounter,
    cached: IntCounter,
    finished: IntCounterVec,
    wait_seconds: Histogram,
    stage_seconds: HistogramVec,
    artifact_bytes: IntCounterVec,
    webhooks: IntCounterVec,
    seen: Mutex<Seen>,
}

impl Metrics {
    /// Everything at 0, of a program of this version.
    pub fn new(version: &str) -> Self {
        let make = Make::default();
        make.gauges(
            "trellis_build_info",
            "The program's version; always 1",
            &["version"],
        )
        .with_label_values(&[version])
        .set(1);
        let figures = Figures {
            requests: make.counters(
                "trellis_http_requests_total",
                "Requests answered",
                &["method", "route", "status"],
            ),
            request_seconds: make.histograms(
                "trellis_http_request_duration_seconds",
                "From a request's headers to those of its answer",
                &["route"],
                &REQUEST_SECONDS,
            ),
            accepted: make.counter("trellis_jobs_accepted_total", "Jobs accepted"),
            cached: make.counter(
                "trellis_cache_hits_total",
                "Jobs answered with an earlier job's result",
            ),
            finished: make.counters(
                "trellis_jobs_finished_total",
                "Jobs ended, by their end, the backend that made the result, the model asked for, and why it failed",
                &["state", "backend", "model", "kind"],
            ),
            wait_seconds: make.histogram(
                "trellis_job_wait_seconds",
                "From a job's acceptance to its first attempt",
                &WAIT_SECONDS,
            ),
            stage_seconds: make.histograms(
                "trellis_stage_duration_seconds",
                "Time in each stage of the jobs that succeeded",
                &["backend", "stage"],
                &STAGE_SECONDS,
            ),
            artifact_bytes: make.counters(
                "trellis_artifact_bytes_total",
                "Bytes of finished files",
                &["format"],
            ),
            webhooks: make.counters(
                "trellis_webhook_deliveries_total",
                "Attempts to tell a webhook, by what they came to",
                &["outcome"],
            ),
            seen: Mutex::new(Seen::new(&make)),
            families: make.families.into_inner(),
            registry: make.registry,
        };
        Self(Arc::new(figures))
    }

    /// Everything that is measured, also what has no value yet.
    pub fn families(&self) -> &[Family] {
        &self.0.families
    }

    pub(crate) fn answered(&self, method: &str, route: &str, status: u16, took: Duration) {
        let requests = &self.0.requests;
        requests
            .with_label_values(&[method, route, &status.to_string()])
            .inc();
        let seconds = &self.0.request_seconds;
        seconds.with_label_values(&[route]).observe(took.as_secs_f64());
    }

    /// What happened to jobs so far.
    pub(crate) fn since_start(&self) -> SinceStart {
        let Figures {
            accepted,
            cached,
            finished,
            ..
        } = &*self.0;
        SinceStart::read(accepted, cached, finished)
    }

    /// All of it as text. Without `jobs` or `deliveries`, what the store would have said is left out.
    pub(crate) fn text(
        &self,
        jobs: Option<StoreStats>,
        deliveries: Option<WaitingDeliveries>,
        workers: &[WorkerStatus],
        gpus: &[Gpu],
    ) -> String {
        let seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.look(jobs, deliveries, workers, gpus);
        let encoded = TextEncoder::new().encode_to_string(&self.0.registry.gather());
        encoded.unwrap_or_else(|error| {
            warn!(
                error = &error as &dyn std::error::Error,
                "metrics cannot be written"
            );
            String::new()
        })
    }
}

impl JobObserver for Metrics {
    fn changed(&self, job: &Job) {
        let figures = &self.0;
        match job.state {
            JobState::Queued if job.attempt == 0 => figures.accepted.inc(),
            JobState::Running if job.attempt == 1 => {
                let waited = job.updated_at.duration_since(job.created_at);
                figures.wait_seconds.observe(waited.as_secs_f64().max(0.0));
            }
            JobState::Queued | JobState::Running => {}
            JobState::Succeeded | JobState::Failed | JobState::Cancelled => {
                if job.cached {
                    figures.accepted.inc();
                    figures.cached.inc();
                }
                figures.finished(job);
            }
        }
    }
}

impl DeliveryObserver for Metrics {
    fn attempted(&self, outcome: DeliveryOutcome) {
        self.0.webhooks.with_label_values(&[outcome.name()]).inc();
    }
}

impl Figures {
    fn finished(&self, job: &Job) {
        let backend = job.made_by.as_deref().unwrap_or("none");
        let kind = job.failure.as_ref().map_or("none", |failure| failure.kind.name());
        let ends = &self.finished;
        let model = job.params.model.model().name();
        ends.with_label_values(&[job.state.name(), backend, model, kind])
            .inc();
        if job.state != JobState::Succeeded {
            return;
        }
        for artifact in &job.artifacts {
            let bytes = &self.artifact_bytes;
            bytes
                .with_label_values(&[artifact.format.name()])
                .inc_by(artifact.size_bytes);
        }
        // A result that was made for an earlier job took no time.
        for stage in job.timings.iter().flat_map(|timings| &timings.stages) {
            let took = Duration::from_millis(stage.ms).as_secs_f64();
            let seconds = &self.stage_seconds;
            seconds
                .with_label_values(&[backend, stage.stage.name()])
                .observe(took);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_has_help_and_a_name_by_the_conventions() {
        let metrics = Metrics::new("1.2.3");
        metrics.answered("GET", "/v1/jobs", 200, Duration::from_millis(3));
        let text = metrics.text(Some(StoreStats::default()), None, &[], &[]);
        let mut helped = 0;
        for family in metrics.0.registry.gather() {
            let name = family.name();
            assert!(!family.help().is_empty(), "{name}");
            assert!(
                name.starts_with("trellis_") || name.starts_with("process_"),
                "{name}"
            );
            let counts = family.get_field_type() == prometheus::proto::MetricType::COUNTER;
            assert_eq!(counts, name.ends_with("_total"), "{name}");
            assert!(text.contains(&format!("# HELP {name} ")), "{name}");
            helped += 1;
        }
        assert!(helped > 10, "{text}");
        assert!(
            text.contains(r#"trellis_http_requests_total{method="GET",route="/v1/jobs",status="200"} 1"#)
        );
        assert!(text.contains(r#"trellis_jobs{state="queued"} 0"#), "{text}");
    }
}
