//! The stream of one job's events: reads a batch, hands it out, waits for a change, reads on.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::Event;
use futures::Stream;
use futures::stream;
use tokio::sync::watch;
use tracing::warn;
use trellis_core::{EventKind, JobEvent, JobId};
use trellis_jobs::StoreError;

use crate::AppState;

/// How many events are read at a time.
pub(super) const BATCH: u32 = 256;

/// The store's hint may be missed where several processes share a database, so look again after this.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How long a client waits before it connects again after the stream broke.
const RECONNECT: Duration = Duration::from_secs(2);

pub(super) struct Follow {
    state: AppState,
    job: JobId,
    after: u64,
    changes: watch::Receiver<u64>,
    ready: VecDeque<JobEvent>,
    /// The event of a final state was read.
    ended: bool,
    /// Nothing was heard for a while. A client that resumes after an event that is not there yet never
    /// sees the final one, so the job itself is asked.
    overdue: bool,
}

impl Follow {
    pub(super) fn new(state: AppState, job: JobId, after: u64, changes: watch::Receiver<u64>) -> Self {
        Self {
            state,
            job,
            after,
            changes,
            ready: VecDeque::new(),
            ended: false,
            overdue: false,
        }
    }

    /// The events, the ones already read first.
    pub(super) fn beginning_with(
        mut self,
        first: Vec<JobEvent>,
    ) -> impl Stream<Item = Result<Event, Infallible>> + Send + 'static {
        self.take(first);
        let hello = Event::default().retry(RECONNECT).comment("following");
        stream::unfold((self, Some(hello)), |(mut follow, hello)| async move {
            let event = match hello {
                Some(hello) => hello,
                None => to_sse(&follow.next().await?),
            };
            Some((Ok(event), (follow, None)))
        })
    }

    /// The next event, or `None` after the last one, when the server stops, or when the store fails;
    /// the client then connects again and goes on where it was.
    async fn next(&mut self) -> Option<JobEvent> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                self.after = event.seq;
                return Some(event);
            }
            match self.look().await {
                Ok(Look::Found) => {}
                Ok(Look::Quiet) => self.wait().await?,
                Ok(Look::Over) | Err(StoreError::NotFound { .. }) => return None,
                Err(error) => {
                    warn!(job = %self.job, error = &error as &dyn std::error::Error, "events cannot be read");
                    return None;
                }
            }
        }
    }

    async fn look(&mut self) -> Result<Look, StoreError> {
        self.changes.mark_unchanged();
        // The state before the events: whoever sees a final state then sees every event.
        let over = self.ended || (self.overdue && self.state.store.get(self.job).await?.state.is_final());
        self.overdue = false;
        let events = self.state.store.events(self.job, self.after, BATCH).await?;
        Ok(match (events.is_empty(), over) {
            (true, true) => Look::Over,
            (true, false) => Look::Quiet,
            (false, _) => {
                self.take(events);
                Look::Found
            }
        })
    }

    /// Until something may have changed; `None` when the server stops.
    async fn wait(&mut self) -> Option<()> {
        tokio::select! {
            () = self.state.stopping().cancelled() => None,
            changed = tokio::time::timeout(LOOK_AGAIN, self.changes.changed()) => {
                self.overdue = changed.is_err();
                Some(())
            }
        }
    }

    fn take(&mut self, events: Vec<JobEvent>) {
        let is_final =
            |event: &JobEvent| matches!(event.kind, EventKind::State { state, .. } if state.is_final());
        self.ended |= events.iter().any(is_final);
        self.ready = events.into();
    }
}

/// What a look at the store found.
enum Look {
    Found,
    Quiet,
    Over,
}

fn to_sse(event: &JobEvent) -> Event {
    let name = match event.kind {
        EventKind::State { .. } => "state",
        EventKind::Progress(_) => "progress",
        EventKind::Artifact { .. } => "artifact",
    };
    let json = serde_json::to_string(event).expect("an event is plain JSON");
    Event::default().id(event.seq.to_string()).event(name).data(json)
}
