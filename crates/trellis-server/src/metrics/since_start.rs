//! What happened to jobs since the server started, out of the counters that `/metrics` shows, for `/v1/status`.

use prometheus::core::Collector as _;
use prometheus::proto::MetricFamily;
use prometheus::{IntCounter, IntCounterVec};
use serde::Serialize;
use trellis_core::JobState;

/// What happened to jobs since the server started.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct SinceStart {
    /// Accepted.
    accepted: u64,
    /// Of these answered with an earlier job's result.
    cached: u64,
    /// Ended with a result.
    succeeded: u64,
    /// Ended without one.
    failed: u64,
    /// Cancelled.
    cancelled: u64,
}

impl SinceStart {
    /// `finished` has a label `state`; its other labels are summed up.
    pub(super) fn read(accepted: &IntCounter, cached: &IntCounter, finished: &IntCounterVec) -> Self {
        let families = finished.collect();
        let ended = |state: JobState| {
            let counters = families.iter().flat_map(MetricFamily::get_metric);
            let of_state = counters.filter(|counter| {
                let mut labels = counter.get_label().iter();
                labels.any(|label| label.name() == "state" && label.value() == state.name())
            });
            whole(of_state.map(|counter| counter.get_counter().get_value()).sum())
        };
        Self {
            accepted: accepted.get(),
            cached: cached.get(),
            succeeded: ended(JobState::Succeeded),
            failed: ended(JobState::Failed),
            cancelled: ended(JobState::Cancelled),
        }
    }
}

/// A sum of counters is a whole number, below 2⁵³ jobs.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts are whole and not negative"
)]
fn whole(count: f64) -> u64 {
    count as u64
}
