//! Sends what waits in the outbox, several at a time, and decides what becomes of what did not arrive.
//!
//! A delivery is claimed for longer than an attempt takes. Whoever dies with it leaves it to the next, so that it is
//! sent at least once; how a job ended is sent again for a day, everything else once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::{Id, JoinSet};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};
use trellis_core::{Backoff, WebhookEvent};
use trellis_jobs::{Delivery, JobStore, NextDelivery, Settled};

use crate::post::{HttpClientError, Patience, Post, Vain};
use crate::{SecretRing, WebhookRules};

/// Connections at a time.
const AT_ONCE: usize = 16;
/// Of these to one host, so that one that hangs leaves room for others.
const PER_HOST: usize = 2;
/// Between attempts: 5 s, 10 s, 20 s, … 2 h.
const BACKOFF: Backoff = Backoff::new(Duration::from_secs(5), Duration::from_secs(2 * 3600)).with_jitter(0.2);
/// How long the end of a job is tried to be delivered.
const GIVE_UP_AFTER: Duration = Duration::from_secs(24 * 3600);
/// What is sent once only is not worth sending later.
const STALE_AFTER: Duration = Duration::from_secs(60);
/// How often the outbox is looked at unasked, for clocks that were put forward, and after an error.
const LOOK: Duration = Duration::from_secs(30);

trellis_core::named! {
    /// What an attempt came to.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
    pub enum DeliveryOutcome: "an outcome of a delivery" {
        /// It arrived.
        Delivered = "delivered",
        /// It did not, and is sent again.
        Retried = "retried",
        /// It is how a job ended and is sent no more.
        GivenUp = "given_up",
        /// It is anything else, which is sent once only, and did not arrive.
        Dropped = "dropped",
    }
}

/// Is told of each attempt.
pub trait DeliveryObserver: Send + Sync + 'static {
    /// One came to that.
    fn attempted(&self, outcome: DeliveryOutcome);
}

/// Sends what waits.
pub struct Deliverer {
    store: Arc<dyn JobStore>,
    post: Post,
    observer: Arc<dyn DeliveryObserver>,
    lease: Duration,
}

/// What is on its way.
#[derive(Default)]
struct Running {
    tasks: JoinSet<()>,
    /// Where each goes.
    hosts: HashMap<Id, String>,
}

impl Running {
    /// Waits until one has ended; `None`: none is on its way.
    async fn next_ended(&mut self) -> Option<()> {
        let id = match self.tasks.join_next_with_id().await? {
            Ok((id, ())) => id,
            Err(error) => {
                // A defect. Its claim lapses, and it is sent again.
                error!(%error, "a delivery to a webhook ended unexpectedly");
                error.id()
            }
        };
        self.hosts.remove(&id);
        Some(())
    }

    /// To these no more go now.
    fn full_hosts(&self) -> Vec<String> {
        let mut counts = HashMap::<&String, usize>::new();
        for host in self.hosts.values() {
            *counts.entry(host).or_default() += 1;
        }
        let full = counts.into_iter().filter(|(_, count)| *count >= PER_HOST);
        full.map(|(host, _)| host.clone()).collect()
    }
}

impl Deliverer {
    /// Opens no connection.
    pub fn new(
        store: Arc<dyn JobStore>,
        rules: WebhookRules,
        secrets: SecretRing,
        patience: Patience,
        observer: Arc<dyn DeliveryObserver>,
    ) -> Result<Self, HttpClientError> {
        Ok(Self {
            store,
            post: Post::new(rules, secrets, patience)?,
            observer,
            // With time to write down what became of it.
            lease: patience.answer.saturating_mul(2),
        })
    }

    /// Sends until `stopping` is set. What is on its way then is sent again after the next start.
    pub async fn run(self, stopping: CancellationToken) {
        let this = Arc::new(self);
        let mut changes = this.store.deliveries();
        let mut running = Running::default();
        loop {
            changes.mark_seen();
            let wait = this.start(&mut running, &stopping).await;
            tokio::select! {
                () = stopping.cancelled() => break,
                Some(()) = running.next_ended() => {}
                _ = changes.changed() => {}
                () = sleep(wait) => {}
            }
        }
        while running.next_ended().await.is_some() {}
    }

    /// Begins with what is due, as far as there is room; how long there is nothing more to do.
    async fn start(self: &Arc<Self>, running: &mut Running, stopping: &CancellationToken) -> Duration {
        while running.hosts.len() < AT_ONCE && !stopping.is_cancelled() {
            let now = Timestamp::now();
            let full = running.full_hosts();
            match self.store.claim_delivery(now, self.lease, &full).await {
                Ok(NextDelivery::Now(delivery)) => {
                    let (this, stopping) = (Arc::clone(self), stopping.clone());
                    let host = delivery.host.clone();
                    let task = async move { this.deliver(&delivery, &stopping).await };
                    running.hosts.insert(running.tasks.spawn(task).id(), host);
                }
                Ok(NextDelivery::At(due)) => {
                    let wait = Duration::try_from(due.duration_since(now)).unwrap_or_default();
                    return wait.min(LOOK);
                }
                Ok(NextDelivery::None) => return LOOK,
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    warn!(error, "deliveries to webhooks cannot be read");
                    return LOOK;
                }
            }
        }
        LOOK
    }

    async fn deliver(&self, delivery: &Delivery, stopping: &CancellationToken) {
        let now = Timestamp::now();
        let sent = if is_stale(delivery, now) {
            Err(Vain {
                problem: "it is too late for it".to_owned(),
                cause: None,
                gone: false,
            })
        } else {
            tokio::select! {
                sent = self.post.send(delivery, now) => sent,
                () = stopping.cancelled() => Err(Vain {
                    problem: "the server was stopped".to_owned(),
                    cause: None,
                    gone: false,
                }),
            }
        };
        let (outcome, settled) = match &sent {
            Ok(()) => (DeliveryOutcome::Delivered, Settled::Delivered),
            Err(vain) => in_vain(delivery, vain, Timestamp::now(), stopping.is_cancelled()),
        };
        tell(delivery, outcome, sent.err());
        self.observer.attempted(outcome);
        if let Err(error) = self.store.settle_delivery(delivery, settled).await {
            let error = &error as &dyn std::error::Error;
            warn!(job = %delivery.event.job, error, "the outcome of a delivery cannot be recorded; it is sent again");
        }
    }
}

/// Whether it would tell of what has long passed, or was sent once already, and need not arrive.
fn is_stale(delivery: &Delivery, now: Timestamp) -> bool {
    let event = &delivery.event;
    let age = Duration::try_from(now.duration_since(event.at)).unwrap_or_default();
    !WebhookEvent::of(&event.kind).is_final() && (delivery.tries > 1 || age > STALE_AFTER)
}

/// What becomes of a delivery that did not arrive.
fn in_vain(delivery: &Delivery, vain: &Vain, now: Timestamp, stopping: bool) -> (DeliveryOutcome, Settled) {
    let problem = vain.problem.clone();
    if !WebhookEvent::of(&delivery.event.kind).is_final() {
        return (DeliveryOutcome::Dropped, Settled::GivenUp { problem });
    }
    // After the next start at once.
    let wait = if stopping {
        Duration::ZERO
    } else {
        BACKOFF.wait(delivery.tries, rand::random())
    };
    let at = now.checked_add(wait).unwrap_or(Timestamp::MAX);
    let last = delivery
        .event
        .at
        .checked_add(GIVE_UP_AFTER)
        .unwrap_or(Timestamp::MAX);
    if vain.gone || at > last {
        return (DeliveryOutcome::GivenUp, Settled::GivenUp { problem });
    }
    (DeliveryOutcome::Retried, Settled::Again { at, problem })
}

/// The log has the host: the rest of an address may hold secrets.
fn tell(delivery: &Delivery, outcome: DeliveryOutcome, vain: Option<Vain>) {
    let (job, host, tries) = (delivery.event.job, &delivery.host, delivery.tries);
    let Some(Vain { problem, cause, .. }) = vain else {
        debug!(%job, host, tries, "webhook delivered");
        return;
    };
    let cause = cause.as_ref().map(|cause| cause as &dyn std::error::Error);
    match outcome {
        DeliveryOutcome::GivenUp => warn!(%job, host, tries, problem, cause, "webhook given up"),
        DeliveryOutcome::Retried => {
            info!(%job, host, tries, problem, cause, "webhook not delivered; it is tried again");
        }
        DeliveryOutcome::Delivered | DeliveryOutcome::Dropped => {
            debug!(%job, host, problem, cause, "webhook not delivered");
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use trellis_core::{EventKind, JobEvent, JobState};
    use trellis_jobs::DeliveryId;

    use super::*;

    fn delivery(state: JobState, tries: u32) -> Delivery {
        Delivery {
            id: DeliveryId("evt_1".to_owned()),
            url: "https://example.com/".to_owned(),
            host: "example.com".to_owned(),
            event: JobEvent {
                seq: 1,
                job: "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap(),
                at: Timestamp::UNIX_EPOCH,
                kind: EventKind::State {
                    state,
                    attempt: 1,
                    failure: None,
                },
            },
            tries,
        }
    }

    fn after(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    fn vain(gone: bool) -> Vain {
        Vain {
            problem: "it answered 500".to_owned(),
            cause: None,
            gone,
        }
    }

    #[test]
    fn the_end_of_a_job_is_tried_for_a_day() {
        let (mut now, mut tries) = (Timestamp::UNIX_EPOCH, 0);
        loop {
            tries += 1;
            let ended = delivery(JobState::Failed, tries);
            match in_vain(&ended, &vain(false), now, false) {
                (DeliveryOutcome::Retried, Settled::Again { at, .. }) => {
                    assert!(at > now && at - now <= BACKOFF.longest().try_into().unwrap());
                    now = at;
                }
                (DeliveryOutcome::GivenUp, Settled::GivenUp { .. }) => break,
                other => panic!("{other:?}"),
            }
        }
        assert!(now > after(21 * 3600) && now <= after(24 * 3600), "{now}");
        assert!((15..40).contains(&tries), "{tries}");
    }

    #[test]
    fn a_receiver_that_is_gone_hears_no_more_and_a_stop_counts_nothing() {
        let ended = delivery(JobState::Succeeded, 1);
        let (outcome, _) = in_vain(&ended, &vain(true), after(1), false);
        assert_eq!(outcome, DeliveryOutcome::GivenUp);
        let (_, settled) = in_vain(&ended, &vain(false), after(1), true);
        assert!(matches!(settled, Settled::Again { at, .. } if at == after(1)));
    }

    #[test]
    fn what_is_not_the_end_is_sent_once_and_in_time() {
        let (outcome, _) = in_vain(&delivery(JobState::Running, 1), &vain(false), after(1), false);
        assert_eq!(outcome, DeliveryOutcome::Dropped);
        let stale = |state, tries, seconds| is_stale(&delivery(state, tries), after(seconds));
        assert!(!stale(JobState::Running, 1, 60));
        assert!(stale(JobState::Running, 1, 61) && stale(JobState::Running, 2, 1));
        assert!(!stale(JobState::Succeeded, 9, 80_000));
    }
}
