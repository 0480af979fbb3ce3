//! Jobs that wait and that no server can do: found, and failed once none could for too long.
//!
//! What counts is time in which somebody watched: while all servers are off, nobody knows what could have been done. One of
//! the processes that share a store watches and keeps a tally there, by its own monotonic clock; another one takes over when
//! the tally stands still. Not here: which server can do what ([`crate::Makers::lack`]).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use trellis_core::{Failure, FailureKind, counted};

use crate::rules::Command;
use crate::{BlobStore, JobStore, Makers, Needs, StoreError, WaitingKind, clear_leftovers};

/// Under which the store keeps the tally.
const TALLY: &str = "no-server";
/// How often it is looked at.
const EVERY: Duration = Duration::from_secs(60);
/// Whoever has not looked for so long watches no more.
const GONE: Duration = Duration::from_secs(300);
/// No job fails before somebody has watched for so long: servers that were off together come back one by one.
const SETTLED: Duration = Duration::from_secs(600);
const BATCH: u32 = 256;

/// How long jobs wait that no server can do; `None`: without end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Patience {
    /// Any of them.
    pub any: Option<Duration>,
    /// Those that decode what was sampled, of which each has a copy.
    pub decoded: Option<Duration>,
}

impl Patience {
    fn with(self, needs: &str) -> Option<Duration> {
        let is_decoded = Needs::from_text(needs).is_some_and(|needs| needs.decoder.is_some());
        let of_decoded = self.decoded.filter(|_| is_decoded);
        self.any.into_iter().chain(of_decoded).min()
    }
}

/// The kinds of jobs that wait and that no server can do, and why.
pub async fn lacking(
    store: &dyn JobStore,
    makers: &dyn Makers,
) -> Result<Vec<(WaitingKind, Failure)>, StoreError> {
    let waiting = store.waiting().await?;
    let lacking = waiting.into_iter().filter_map(|kind| {
        // What a newer version wrote this one cannot judge.
        let demand = kind.demand.parse().ok()?;
        let lack = makers.lack(demand, &kind.needs)?;
        Some((kind, lack))
    });
    Ok(lacking.collect())
}

/// For how long no server could do what waits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Tally {
    /// Who keeps it.
    watcher: String,
    /// How often it was kept.
    looks: u64,
    /// Seconds by kind.
    seconds: BTreeMap<String, u64>,
}

impl Tally {
    /// These lack a server now, and those that did so before have done so for `elapsed` more.
    fn note(&mut self, lacking: &[(WaitingKind, Failure)], elapsed: Duration) {
        self.looks += 1;
        let more = elapsed.as_secs();
        self.seconds = lacking
            .iter()
            .map(|(kind, _)| {
                let text = text(kind);
                let before = self.seconds.get(&text).map(|seconds| seconds + more);
                (text, before.unwrap_or(0))
            })
            .collect();
    }

    fn lacked_for(&self, kind: &WaitingKind) -> Duration {
        Duration::from_secs(self.seconds.get(&text(kind)).copied().unwrap_or(0))
    }
}

fn text(kind: &WaitingKind) -> String {
    format!("{} {}", kind.demand, kind.needs)
}

/// Watches the jobs that no server can do.
pub struct Watch {
    store: Arc<dyn JobStore>,
    blobs: Arc<dyn BlobStore>,
    makers: Arc<dyn Makers>,
    patience: Patience,
    /// This process's name, which no other has.
    name: String,
    /// The last look of whoever watches: who, its number, and when it was seen.
    seen: Option<(String, u64, Instant)>,
    /// When this process last kept the tally, and for how long it has done so.
    kept_at: Option<Instant>,
    kept_for: Duration,
}

impl Watch {
    /// One that has not looked yet.
    pub fn new(
        store: Arc<dyn JobStore>,
        blobs: Arc<dyn BlobStore>,
        makers: Arc<dyn Makers>,
        patience: Patience,
        name: &str,
    ) -> Self {
        Self {
            store,
            blobs,
            makers,
            patience,
            name: name.to_owned(),
            seen: None,
            kept_at: None,
            kept_for: Duration::ZERO,
        }
    }

    /// Looks now and then until told to stop. A look that fails is made up for by the next.
    pub async fn run(mut self, shutdown: CancellationToken) {
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
            if let Err(error) = self.look(Instant::now(), Timestamp::now()).await {
                warn!(
                    error = &error as &dyn std::error::Error,
                    "cannot look for jobs that no server can do"
                );
            }
        }
    }

    /// Looks once; says how many jobs failed.
    ///
    /// # Panics
    ///
    /// Never: a tally is texts and numbers, which JSON has.
    pub async fn look(&mut self, now: Instant, clock: Timestamp) -> Result<u64, StoreError> {
        let lacking = lacking(&*self.store, &*self.makers).await?;
        let before = self.store.memo(TALLY).await?;
        // What cannot be read is of another version.
        let mut tally: Tally = before
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default();
        if lacking.is_empty() && tally.seconds.is_empty() {
            self.keeps(now);
            return Ok(0);
        }
        if !self.is_watcher(&tally, now) {
            self.kept_at = None;
            return Ok(0);
        }
        let elapsed = self.keeps(now);
        tally.watcher.clone_from(&self.name);
        tally.note(&lacking, elapsed);
        let text = serde_json::to_string(&tally).expect("texts and numbers are JSON");
        self.store.keep_memo(TALLY, &text).await?;
        let mut failed = 0;
        for (kind, lack) in &lacking {
            let Some(patience) = self.patience.with(&kind.needs) else {
                continue;
            };
            if self.kept_for >= SETTLED.min(patience) && tally.lacked_for(kind) >= patience {
                failed += self.give_up(kind, lack, patience, clock).await?;
            }
        }
        Ok(failed)
    }

    /// Whether this process keeps the tally: it did, nobody needed to, or whoever did is gone.
    fn is_watcher(&mut self, tally: &Tally, now: Instant) -> bool {
        if tally.watcher == self.name || tally.seconds.is_empty() {
            return true;
        }
        match &self.seen {
            Some((watcher, looks, at)) if (watcher, looks) == (&tally.watcher, &tally.looks) => {
                now.duration_since(*at) >= GONE
            }
            _ => {
                self.seen = Some((tally.watcher.clone(), tally.looks, now));
                false
            }
        }
    }

    /// This process watches now; says for how long since its last look.
    fn keeps(&mut self, now: Instant) -> Duration {
        // Whoever could not look for so long did not watch.
        let kept_at = self.kept_at.filter(|at| now.duration_since(*at) < GONE);
        let elapsed = kept_at.map_or(Duration::ZERO, |at| now.duration_since(at));
        if kept_at.is_none() {
            self.kept_for = Duration::ZERO;
        }
        self.kept_at = Some(now);
        self.kept_for += elapsed;
        elapsed
    }

    /// Fails the jobs of a kind that have waited for so long.
    async fn give_up(
        &self,
        kind: &WaitingKind,
        lack: &Failure,
        patience: Duration,
        clock: Timestamp,
    ) -> Result<u64, StoreError> {
        // Before the beginning of time nothing was accepted.
        let Ok(accepted_before) = clock.checked_sub(patience) else {
            return Ok(0);
        };
        let hours = counted(patience.as_secs() / 3600, "hour", "hours");
        let failure = Failure {
            fix: lack.fix.clone(),
            ..Failure::new(
                FailureKind::NoServer,
                format!("no server could do the job for {hours}: {}", lack.message),
            )
        };
        let mut failed = 0;
        loop {
            let jobs = self.store.waiting_of(kind, accepted_before, BATCH).await?;
            for id in &jobs {
                let command = Command::GiveUp {
                    failure: failure.clone(),
                };
                match self.store.apply(*id, clock, command).await {
                    Ok(_) => failed += 1,
                    // Somebody has it after all, or it was cancelled meanwhile.
                    Err(StoreError::WrongState { .. } | StoreError::NotFound { .. }) => continue,
                    Err(error) => return Err(error),
                }
                info!(job = %id, %failure, "job failed");
                if let Err(error) = clear_leftovers(&*self.store, &*self.blobs, *id).await {
                    warn!(job = %id, error = &error as &dyn std::error::Error, "its files are left to the janitor");
                }
            }
            if jobs.len() < BATCH as usize {
                return Ok(failed);
            }
        }
    }
}
