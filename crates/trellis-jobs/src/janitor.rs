//! The one way out: forgets finished jobs beyond what is to be kept, and blobs that no job refers to.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use trellis_core::JobId;

use crate::leftovers::{clear_leftovers, may_have_any};
use crate::rules::Command;
use crate::{BlobStore, JobStore, StoreError, SweepError};

/// Blobs without a row are left alone for so long: their job may be on its way in.
const GRACE: Duration = Duration::from_secs(3600);
const BATCH: u32 = 256;
const SECONDS_PER_DAY: i64 = 86_400;

/// What is kept. Live jobs always are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    /// At most so many finished jobs, the newest; `None`: no limit.
    pub keep_jobs: Option<u64>,
    /// Finished jobs for so many days; `None`: for ever.
    pub keep_days: Option<u32>,
}

/// What a sweep removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Swept {
    /// Finished jobs, with their blobs.
    pub jobs: Vec<JobId>,
    /// Names under which there were blobs but no job.
    pub orphans: Vec<JobId>,
    /// Files left by writes that were cut off.
    pub unfinished: u64,
    /// Files left by attempts that were lost.
    pub leftovers: u64,
}

/// Removes what need not be kept.
#[derive(Clone)]
pub struct Janitor {
    /// Where jobs are kept.
    pub store: Arc<dyn JobStore>,
    /// Where their files are kept.
    pub blobs: Arc<dyn BlobStore>,
    /// What stays.
    pub retention: Retention,
}

impl Janitor {
    /// Sweeps once.
    pub async fn sweep(&self, now: Timestamp) -> Result<Swept, SweepError> {
        let mut swept = Swept::default();
        self.sweep_expired(now, &mut swept).await?;
        self.sweep_orphans(now, &mut swept).await?;
        swept.unfinished = self.blobs.sweep_unfinished(GRACE).await?;
        Ok(swept)
    }

    /// Sweeps now and then until told to stop. A sweep that fails is tried again the next time.
    pub async fn run(self, interval: Duration, shutdown: CancellationToken) {
        loop {
            match self.sweep(Timestamp::now()).await {
                Ok(swept) if swept == Swept::default() => {}
                Ok(Swept {
                    jobs,
                    orphans,
                    unfinished,
                    leftovers,
                }) => {
                    info!(
                        jobs = jobs.len(),
                        orphans = orphans.len(),
                        unfinished,
                        leftovers,
                        "removed what need not be kept"
                    );
                }
                Err(error) => warn!(error = &error as &dyn std::error::Error, "sweep failed"),
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(interval) => {}
            }
        }
    }

    async fn sweep_expired(&self, now: Timestamp, swept: &mut Swept) -> Result<(), SweepError> {
        let Retention { keep_jobs, keep_days } = self.retention;
        // Before the beginning of time there is nothing to forget.
        let ended_before = keep_days.and_then(|days| {
            now.checked_sub(SignedDuration::from_secs(i64::from(days) * SECONDS_PER_DAY))
                .ok()
        });
        loop {
            let expired = self.store.expired(keep_jobs, ended_before, BATCH).await?;
            for id in &expired {
                match self.store.apply(*id, now, Command::Delete).await {
                    Ok(_) => {}
                    // Another process was faster.
                    Err(StoreError::NotFound { .. }) => continue,
                    Err(error) => return Err(error.into()),
                }
                // The row goes first: a crash in between leaves orphans, never a job without its files.
                self.blobs.delete_job(*id).await?;
                swept.jobs.push(*id);
            }
            if expired.len() < BATCH as usize {
                return Ok(());
            }
        }
    }

    async fn sweep_orphans(&self, now: Timestamp, swept: &mut Swept) -> Result<(), SweepError> {
        let grace = SignedDuration::try_from(GRACE).expect("an hour fits");
        for id in self.blobs.jobs().await? {
            let age = id
                .made_at()
                .map_or(SignedDuration::MAX, |made_at| now.duration_since(made_at));
            if age < grace {
                continue;
            }
            match self.store.find(id).await {
                Ok(job) if may_have_any(&job) => {
                    swept.leftovers += clear_leftovers(&*self.store, &*self.blobs, id).await?;
                }
                Ok(_) => {}
                Err(StoreError::NotFound { .. }) => {
                    self.blobs.delete_job(id).await?;
                    swept.orphans.push(id);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}
