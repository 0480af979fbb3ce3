//! Keeps a claim alive while its job is worked on.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::warn;
use trellis_jobs::{Heartbeat, Lease, StoreError};

use crate::runner::Shared;

/// Why the claim is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gone {
    /// Somebody cancelled the job.
    Cancelled,
    /// It was given to another worker, or the store was out of reach for a whole lease.
    Lost,
}

/// Sends heartbeats; returns when there is nothing left to keep.
pub(crate) async fn keep(shared: Arc<Shared>, lease: Lease) -> Gone {
    let settings = &shared.settings;
    let mut ticks = interval(settings.heartbeat_every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = Instant::now();
    loop {
        ticks.tick().await;
        match shared
            .store
            .heartbeat(&lease, Timestamp::now(), settings.lease)
            .await
        {
            Ok(Heartbeat::Continue) => heard = Instant::now(),
            Ok(Heartbeat::Cancelled) => return Gone::Cancelled,
            Err(StoreError::LeaseLost { .. } | StoreError::NotFound { .. }) => return Gone::Lost,
            Err(error) => {
                warn!(error = &error as &dyn std::error::Error, "heartbeat not recorded");
                if heard.elapsed() >= settings.lease {
                    return Gone::Lost;
                }
            }
        }
    }
}
