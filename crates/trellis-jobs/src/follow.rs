//! Waiting for a job's end, and following its events: reads a batch, hands it out, waits for a change, reads on.

use std::collections::VecDeque;
use std::time::Duration;

use futures::{Stream, stream};
use tracing::warn;
use trellis_core::{EventKind, Job, JobEvent, JobId};

use crate::{Changes, Jobs, Owner, Seen, StoreError};

/// How many events are read at a time.
const BATCH: u32 = 256;

/// Those who wait look again after so long: wakes are hints.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// As long as nothing happens, they look less and less often: a thousand who wait cost a shared store little.
const LONGEST: Duration = Duration::from_secs(40);

impl Jobs {
    /// The job once it is finished.
    pub async fn wait(&self, owner: &Owner, id: JobId) -> Result<Job, StoreError> {
        let mut changes = self.store.subscribe(id);
        let mut patience = LOOK_AGAIN;
        loop {
            let job = self.get(owner, id).await?;
            if job.state.is_final() {
                return Ok(job);
            }
            loop {
                match changed(&mut changes, &mut patience).await {
                    Some(Some(seen)) if !seen.state.is_final() => {}
                    _ => break,
                }
            }
        }
    }

    /// The job's events after entry `after` (0: from the start).
    pub async fn follow(&self, owner: &Owner, id: JobId, after: u64) -> Result<Follow, StoreError> {
        Follow::begin(self.clone(), owner, id, after).await
    }
}

/// Waits for a change, with where the job stands if that is known. `None`: nothing changed for as long as `patience`, which
/// grows, and is short again after a change.
async fn changed(changes: &mut Changes, patience: &mut Duration) -> Option<Option<Seen>> {
    let seen = tokio::time::timeout(*patience, changes.changed()).await.ok();
    *patience = match seen {
        Some(_) => LOOK_AGAIN,
        None => (*patience * 2).min(LONGEST),
    };
    seen
}

/// Somebody who follows a job.
#[must_use = "nothing is read until it is asked for the next event"]
pub struct Follow {
    jobs: Jobs,
    job: JobId,
    after: u64,
    changes: Changes,
    patience: Duration,
    ready: VecDeque<JobEvent>,
    /// No event comes after those that are ready.
    ended: bool,
    /// The job may have ended. Who begins after an event that is not there yet never sees the final one, so the
    /// job itself is asked.
    doubtful: bool,
}

impl Follow {
    pub(crate) async fn begin(jobs: Jobs, owner: &Owner, job: JobId, after: u64) -> Result<Self, StoreError> {
        // Before the first look, so that no change between the two is missed.
        let changes = jobs.store.subscribe(job);
        let ended = jobs.get(owner, job).await?.state.is_final();
        let ready = jobs.store.events(Some(job), after, BATCH).await?;
        Ok(Self {
            // With a full batch there may be more.
            ended: ended && ready.len() < BATCH as usize,
            jobs,
            job,
            after,
            changes,
            patience: LOOK_AGAIN,
            ready: ready.into(),
            doubtful: ended,
        })
    }

    /// Whether the job is finished and there is nothing left to tell.
    pub fn is_over(&self) -> bool {
        self.ended && self.ready.is_empty()
    }

    /// The next event. `None` after the event of a final state, where the job is deleted, and where the store
    /// fails; who follows again after the last event then misses nothing.
    pub async fn next(&mut self) -> Option<JobEvent> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                self.after = event.seq;
                let is_last = matches!(event.kind, EventKind::State { state, .. } if state.is_final());
                self.ended |= is_last;
                return Some(event);
            }
            if self.ended {
                return None;
            }
            match self.look().await {
                Ok(true) => {}
                Ok(false) => self.wait().await,
                Err(StoreError::NotFound { .. }) => return None,
                Err(error) => {
                    warn!(job = %self.job, error = &error as &dyn std::error::Error, "events cannot be read");
                    return None;
                }
            }
        }
    }

    /// The events as a stream.
    pub fn into_stream(self) -> impl Stream<Item = JobEvent> + Send + 'static {
        stream::unfold(self, async |mut follow| {
            let event = follow.next().await?;
            Some((event, follow))
        })
    }

    /// Whether there was anything to see: events, or the end.
    async fn look(&mut self) -> Result<bool, StoreError> {
        self.changes.mark_seen();
        // The state before the events: who sees a final state then sees every event.
        let over = self.doubtful && self.jobs.store.get(self.job).await?.state.is_final();
        self.doubtful = false;
        self.ready = self
            .jobs
            .store
            .events(Some(self.job), self.after, BATCH)
            .await?
            .into();
        self.ended = over && self.ready.is_empty();
        Ok(self.ended || !self.ready.is_empty())
    }

    async fn wait(&mut self) {
        let seen = changed(&mut self.changes, &mut self.patience).await.flatten();
        self.doubtful = seen.is_none_or(|seen| seen.state.is_final());
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::watch;

    use super::*;
    use crate::{Wake, Wakes};

    #[tokio::test(start_paused = true)]
    async fn who_waits_looks_less_and_less_often_until_something_changes() {
        let (_elsewhere, others) = watch::channel(0);
        let wakes = Wakes::new(others);
        let job = JobId::new(jiff::Timestamp::UNIX_EPOCH, [0; 10]);
        let mut changes = wakes.of_job(job);
        let mut patience = LOOK_AGAIN;
        let mut waited = Vec::new();
        for change in [false, false, false, false, false, true, false] {
            if change {
                let seen = None;
                let delivers = false;
                drop(wakes.when_dropped(Some(Wake { job, seen, delivers })));
            }
            let begun = tokio::time::Instant::now();
            let found = changed(&mut changes, &mut patience).await;
            assert_eq!(found.is_some(), change);
            waited.push(begun.elapsed().as_secs());
        }
        assert_eq!(waited, [5, 10, 20, 40, 40, 0, 5]);
    }
}
