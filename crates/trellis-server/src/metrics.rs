//! Figures for Prometheus, in its text format 0.0.4.
//!
//! Names follow Prometheus's conventions: base units, `_total` for what only grows. What grows is counted since this
//! process started; jobs, workers, GPUs and the process are looked at when somebody asks. Not here: the
//! route (`scrape.rs`).

mod process;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
};
use tracing::warn;
use trellis_core::{Gpu, Job, JobState, WorkerState, WorkerStatus};
use trellis_jobs::{JobObserver, StoreStats};

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
    requests: IntCounterVec,
    request_seconds: HistogramVec,
    accepted: IntCounter,
    cached: IntCounter,
    finished: IntCounterVec,
    wait_seconds: Histogram,
    stage_seconds: HistogramVec,
    artifact_bytes: IntCounterVec,
    seen: Mutex<Seen>,
}

/// What is looked at rather than counted. One look at a time, because what is gone is taken out first.
struct Seen {
    jobs: IntGaugeVec,
    workers: Workers,
    gpus: Gpus,
    process: process::Process,
}

struct Workers {
    state: IntGaugeVec,
    starts: IntCounterVec,
    losses: IntCounterVec,
    recycles: IntCounterVec,
    jobs: IntCounterVec,
    dropped_lines: IntCounterVec,
    memory: IntGaugeVec,
    vram: IntGaugeVec,
    peak_vram: IntGaugeVec,
}

struct Gpus {
    memory: IntGaugeVec,
    used: IntGaugeVec,
    utilisation: GaugeVec,
    temperature: IntGaugeVec,
    power: GaugeVec,
}

impl Metrics {
    /// Everything at 0, of a program of this version.
    pub fn new(version: &str) -> Self {
        let make = Make(Registry::new());
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
                "Jobs ended, by their end, by the backend that made the result and by why there is none",
                &["state", "backend", "kind"],
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
            seen: Mutex::new(Seen::new(&make)),
            registry: make.0,
        };
        Self(Arc::new(figures))
    }

    pub(crate) fn answered(&self, method: &str, route: &str, status: u16, took: Duration) {
        let requests = &self.0.requests;
        requests
            .with_label_values(&[method, route, &status.to_string()])
            .inc();
        let seconds = &self.0.request_seconds;
        seconds.with_label_values(&[route]).observe(took.as_secs_f64());
    }

    /// All of it as text.
    pub(crate) fn text(&self, jobs: Option<StoreStats>, workers: &[WorkerStatus], gpus: &[Gpu]) -> String {
        let seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.look(jobs, workers, gpus);
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

impl Figures {
    fn finished(&self, job: &Job) {
        let backend = job.made_by.as_deref().unwrap_or("none");
        let kind = job.failure.as_ref().map_or("none", |failure| failure.kind.name());
        let ends = &self.finished;
        ends.with_label_values(&[job.state.name(), backend, kind]).inc();
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

impl Seen {
    fn new(make: &Make) -> Self {
        let by_worker = |name: &str, about: &str| make.counters(name, about, &["worker"]);
        let of_worker = |name: &str, about: &str| make.gauges(name, about, &["worker"]);
        let of_gpu = ["gpu", "name"];
        Self {
            jobs: make.gauges("trellis_jobs", "Jobs that are kept, by state", &["state"]),
            workers: Workers {
                state: make.gauges(
                    "trellis_worker_state",
                    "1 for the state that a worker is in",
                    &["worker", "state"],
                ),
                starts: by_worker("trellis_worker_starts_total", "Processes started"),
                losses: by_worker("trellis_worker_losses_total", "Processes lost"),
                recycles: by_worker("trellis_worker_recycles_total", "Processes replaced on purpose"),
                jobs: make.counters(
                    "trellis_worker_jobs_total",
                    "Jobs ended, with a result (done) or without (failed)",
                    &["worker", "result"],
                ),
                dropped_lines: by_worker(
                    "trellis_worker_dropped_log_lines_total",
                    "Log lines dropped because there were too many",
                ),
                memory: of_worker(
                    "trellis_worker_resident_memory_bytes",
                    "Resident memory of the process",
                ),
                vram: of_worker("trellis_worker_vram_bytes", "VRAM that the process holds"),
                peak_vram: of_worker(
                    "trellis_worker_peak_vram_bytes",
                    "The most VRAM that a job needed",
                ),
            },
            gpus: Gpus {
                memory: make.gauges("trellis_gpu_memory_bytes", "All of a GPU's memory", &of_gpu),
                used: make.gauges(
                    "trellis_gpu_memory_used_bytes",
                    "Memory in use, by whatever program",
                    &of_gpu,
                ),
                utilisation: make.real_gauges(
                    "trellis_gpu_utilisation_ratio",
                    "Share of the last moments in which it worked, 0 to 1",
                    &of_gpu,
                ),
                temperature: make.gauges("trellis_gpu_temperature_celsius", "Temperature", &of_gpu),
                power: make.real_gauges("trellis_gpu_power_watts", "Power that it draws", &of_gpu),
            },
            process: process::Process::new(make),
        }
    }

    fn look(&self, jobs: Option<StoreStats>, workers: &[WorkerStatus], gpus: &[Gpu]) {
        self.jobs.reset();
        for (state, count) in jobs.into_iter().flat_map(by_state) {
            self.jobs.with_label_values(&[state.name()]).set(signed(count));
        }
        self.workers.look(workers);
        self.gpus.look(gpus);
        self.process.look();
    }
}

impl Workers {
    fn look(&self, workers: &[WorkerStatus]) {
        self.state.reset();
        for worker in workers {
            let name = worker.name.as_str();
            for state in WorkerState::ALL {
                let here = i64::from(state == worker.state);
                self.state.with_label_values(&[name, state.name()]).set(here);
            }
            let counters = &worker.counters;
            for (family, labels, value) in [
                (&self.starts, &[name][..], counters.starts),
                (&self.losses, &[name], counters.losses),
                (&self.recycles, &[name], counters.recycles),
                (&self.jobs, &[name, "done"], counters.jobs_done),
                (&self.jobs, &[name, "failed"], counters.jobs_failed),
                (&self.dropped_lines, &[name], counters.lines_dropped),
            ] {
                let counter = family.with_label_values(labels);
                counter.inc_by(value.saturating_sub(counter.get()));
            }
            for (family, value) in [
                (&self.memory, counters.rss_bytes),
                (&self.vram, counters.vram_bytes),
                (&self.peak_vram, counters.peak_vram_bytes),
            ] {
                family.with_label_values(&[name]).set(signed(value));
            }
        }
    }
}

impl Gpus {
    fn look(&self, gpus: &[Gpu]) {
        for family in [&self.memory, &self.used, &self.temperature] {
            family.reset();
        }
        for family in [&self.utilisation, &self.power] {
            family.reset();
        }
        for gpu in gpus {
            let labels = [gpu.uuid.as_str(), gpu.name.as_str()];
            self.memory
                .with_label_values(&labels)
                .set(signed(gpu.memory_bytes));
            let used = gpu.memory_bytes.saturating_sub(gpu.free_bytes);
            self.used.with_label_values(&labels).set(signed(used));
            if let Some(percent) = gpu.utilisation {
                let ratio = f64::from(percent) / 100.0;
                self.utilisation.with_label_values(&labels).set(ratio);
            }
            if let Some(celsius) = gpu.temperature {
                self.temperature.with_label_values(&labels).set(celsius.into());
            }
            if let Some(milliwatts) = gpu.power_milliwatts {
                let watts = f64::from(milliwatts) / 1000.0;
                self.power.with_label_values(&labels).set(watts);
            }
        }
    }
}

fn by_state(stats: StoreStats) -> [(JobState, u64); 5] {
    [
        (JobState::Queued, stats.queued),
        (JobState::Running, stats.running),
        (JobState::Succeeded, stats.succeeded),
        (JobState::Failed, stats.failed),
        (JobState::Cancelled, stats.cancelled),
    ]
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Makes and registers figures.
struct Make(Registry);

impl Make {
    fn register<T: Collector + Clone + 'static>(&self, made: prometheus::Result<T>) -> T {
        let made = made.expect("names and labels are well formed: a test makes all");
        let registered = self.0.register(Box::new(made.clone()));
        registered.expect("no name stands twice: a test makes all");
        made
    }

    fn counter(&self, name: &str, about: &str) -> IntCounter {
        self.register(IntCounter::new(name, about))
    }

    fn counters(&self, name: &str, about: &str, labels: &[&str]) -> IntCounterVec {
        self.register(IntCounterVec::new(Opts::new(name, about), labels))
    }

    fn gauge(&self, name: &str, about: &str) -> IntGauge {
        self.register(IntGauge::new(name, about))
    }

    fn real_gauge(&self, name: &str, about: &str) -> Gauge {
        self.register(Gauge::new(name, about))
    }

    fn gauges(&self, name: &str, about: &str, labels: &[&str]) -> IntGaugeVec {
        self.register(IntGaugeVec::new(Opts::new(name, about), labels))
    }

    fn real_gauges(&self, name: &str, about: &str, labels: &[&str]) -> GaugeVec {
        self.register(GaugeVec::new(Opts::new(name, about), labels))
    }

    fn histogram(&self, name: &str, about: &str, buckets: &[f64]) -> Histogram {
        let options = HistogramOpts::new(name, about).buckets(buckets.to_vec());
        self.register(Histogram::with_opts(options))
    }

    fn histograms(&self, name: &str, about: &str, labels: &[&str], buckets: &[f64]) -> HistogramVec {
        let options = HistogramOpts::new(name, about).buckets(buckets.to_vec());
        self.register(HistogramVec::new(options, labels))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_has_help_and_a_name_by_the_conventions() {
        let metrics = Metrics::new("1.2.3");
        metrics.answered("GET", "/v1/jobs", 200, Duration::from_millis(3));
        let text = metrics.text(Some(StoreStats::default()), &[], &[]);
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
