//! Writes down how an attempt ended.

use std::time::Duration;

use jiff::Timestamp;
use tracing::{error, info, warn};
use trellis_core::Failure;
use trellis_jobs::{Lease, Outcome, StoreError};

use crate::shared::Shared;

/// How an attempt ends.
#[derive(Debug, Clone)]
pub(crate) enum Ending {
    /// With a result.
    Succeed(Box<Outcome>),
    /// Without one.
    Fail(Failure),
    /// Back to the queue.
    Release,
    /// With nothing to say: the claim is gone.
    Nothing,
}

/// The store may be out of reach for a moment; then the lease lapses and the job is taken back.
const TRIES: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// What became of an ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// It is written.
    Yes,
    /// It is not, and what was stored for it is of no use.
    No,
    /// The store does not answer. It may be written, and what was stored for it stays; otherwise it goes when the job is
    /// taken back.
    Unknown,
}

/// Writes the ending.
pub(crate) async fn end(shared: &Shared, lease: &Lease, ending: &Ending) -> Recorded {
    let mut pause = FIRST_PAUSE;
    for _ in 0..TRIES {
        match write(shared, lease, ending).await {
            Ok(()) => return Recorded::Yes,
            Err(StoreError::LeaseLost { .. } | StoreError::NotFound { .. }) => {
                info!("attempt is no longer the current one, discarding its outcome");
                return Recorded::No;
            }
            Err(error) => {
                warn!(
                    error = &error as &dyn std::error::Error,
                    "cannot record the outcome, retrying"
                );
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
        }
    }
    error!("cannot record the outcome; the job is requeued when its lease expires");
    Recorded::Unknown
}

async fn write(shared: &Shared, lease: &Lease, ending: &Ending) -> Result<(), StoreError> {
    let now = Timestamp::now();
    match ending {
        Ending::Succeed(outcome) => {
            shared.store.succeed(lease, now, Outcome::clone(outcome)).await?;
            info!("job succeeded");
        }
        Ending::Fail(failure) => {
            shared.store.fail(lease, now, failure.clone()).await?;
            info!(kind = failure.kind.name(), %failure, "job failed");
        }
        Ending::Release => {
            shared.store.release(lease, now).await?;
            info!("job handed back");
        }
        Ending::Nothing => {}
    }
    Ok(())
}
