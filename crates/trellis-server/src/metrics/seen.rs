//! What is looked at when somebody asks: jobs that are kept, workers, GPUs, this process.
//!
//! What is gone is taken out, except for counters: those of a worker that is gone keep their last value.

use prometheus::{GaugeVec, IntCounter, IntCounterVec, IntGaugeVec};
use trellis_core::{Gpu, JobState, RestartKind, WorkerState, WorkerStatus};
use trellis_jobs::{StoreStats, WaitingDeliveries};

use super::make::Make;
use super::process::Process;

/// What is looked at rather than counted. One look at a time, because what is gone is taken out first.
pub(super) struct Seen {
    jobs: IntGaugeVec,
    deliveries: IntGaugeVec,
    workers: Workers,
    gpus: Gpus,
    process: Process,
}

struct Workers {
    state: IntGaugeVec,
    starts: IntCounterVec,
    losses: IntCounterVec,
    recycles: IntCounterVec,
    restarts: IntCounterVec,
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

impl Seen {
    pub(super) fn new(make: &Make) -> Self {
        let by_worker = |name: &str, about: &str| make.counters(name, about, &["worker"]);
        let of_worker = |name: &str, about: &str| make.gauges(name, about, &["worker"]);
        let of_gpu = ["gpu", "name"];
        Self {
            jobs: make.gauges("trellis_jobs", "Jobs that are kept, by state", &["state"]),
            deliveries: make.gauges(
                "trellis_webhook_messages",
                "Messages to webhooks that wait, by whether one was tried before (retried) or not (new)",
                &["state"],
            ),
            workers: Workers {
                state: make.gauges(
                    "trellis_worker_state",
                    "1 for the state that a worker is in",
                    &["worker", "state"],
                ),
                starts: by_worker("trellis_worker_starts_total", "Processes started"),
                losses: by_worker("trellis_worker_losses_total", "Processes lost"),
                recycles: by_worker("trellis_worker_recycles_total", "Processes replaced on purpose"),
                restarts: make.counters(
                    "trellis_worker_restarts_total",
                    &format!(
                        "Processes started in place of an earlier one, by why that one went: {}",
                        RestartKind::ALL.map(RestartKind::name).join(", ")
                    ),
                    &["worker", "kind"],
                ),
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
            process: Process::new(make),
        }
    }

    pub(super) fn look(
        &self,
        jobs: Option<StoreStats>,
        deliveries: Option<WaitingDeliveries>,
        workers: &[WorkerStatus],
        gpus: &[Gpu],
    ) {
        self.jobs.reset();
        for (state, count) in jobs.into_iter().flat_map(by_state) {
            self.jobs.with_label_values(&[state.name()]).set(signed(count));
        }
        self.deliveries.reset();
        if let Some(WaitingDeliveries { untried, tried }) = deliveries {
            for (state, count) in [("new", untried), ("retried", tried)] {
                self.deliveries.with_label_values(&[state]).set(signed(count));
            }
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
                raise(&counter, value);
            }
            // Those that did not happen stand at 0, so that the first one shows as a rise.
            for kind in RestartKind::ALL {
                let value = counters.restarts.get(&kind).copied().unwrap_or_default();
                raise(&self.restarts.with_label_values(&[name, kind.name()]), value);
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

/// Brings a counter up to what was counted elsewhere.
fn raise(counter: &IntCounter, value: u64) {
    counter.inc_by(value.saturating_sub(counter.get()));
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
