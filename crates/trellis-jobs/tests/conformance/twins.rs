//! Random strings of calls on two stores side by side: both answer alike and, at the end, hold the same.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use trellis_core::{
    AssetName, BackendChoice, Failure, FailureKind, JobId, JobState, PictureFormat, Priority, WebhookEvent,
};

use super::Fixture;
use super::kit::{LEASE, at, file, new_job, outcome_of, step, webhook, worker};
use crate::rules::{Command, Edit};
use crate::{
    BlobKey, CacheKey, ClaimFilter, Delivery, JobQuery, JobStore, Lease, NewJob, NextDelivery, Owner, Rights,
    Settled, StoreError, Thumbnail,
};

const OWNERS: [&str; 3] = ["", "ada", "bob"];
const WORKERS: [&str; 2] = ["a", "b"];
const MAX_ATTEMPTS: u32 = 2;

/// Numbers name a job, a lease or a delivery that there was so far.
#[derive(Debug, Clone)]
enum Call {
    Submit(Asked),
    Claim(usize, Vec<BackendChoice>, bool),
    Leased(Leased, usize),
    Job(Done, usize, usize),
    Recover(Option<usize>),
    ClaimDelivery(bool),
    Settle(usize, u8),
    Memo(u8, u8),
    ForgetDeleted,
    Wait(i64),
    Reopen,
}

#[derive(Debug, Clone)]
struct Asked {
    owner: usize,
    backend: BackendChoice,
    priority: Priority,
    /// A key and which of two requests came with it.
    key: Option<(u8, bool)>,
    name: Option<u8>,
    hooked: bool,
    recalled: bool,
    limited: bool,
}

#[derive(Debug, Clone, Copy)]
enum Leased {
    Heartbeat,
    Progress,
    Succeed,
    Fail,
    Release,
}

#[derive(Debug, Clone, Copy)]
enum Done {
    Preview,
    Cancel,
    CancelOrDelete,
    Delete,
    Rename,
    Thumbnail,
}

fn call() -> impl Strategy<Value = Call> {
    let index = any::<usize>;
    let asked = (
        0..3usize,
        prop::sample::select(vec![BackendChoice::Auto, BackendChoice::Relief]),
        prop::sample::select(Priority::ALL.to_vec()),
        prop::option::weighted(0.3, (0..3u8, prop::bool::weighted(0.2))),
        prop::option::of(0..4u8),
        prop::bool::weighted(0.4),
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.2),
    );
    let asked = asked.prop_map(
        |(owner, backend, priority, key, name, hooked, recalled, limited)| Asked {
            owner,
            backend,
            priority,
            key,
            name,
            hooked,
            recalled,
            limited,
        },
    );
    let choices = prop::sample::subsequence(vec![BackendChoice::Auto, BackendChoice::Relief], 1..=2);
    let leased = prop::sample::select(vec![
        Leased::Heartbeat,
        Leased::Progress,
        Leased::Progress,
        Leased::Succeed,
        Leased::Succeed,
        Leased::Fail,
        Leased::Release,
    ]);
    let done = prop::sample::select(vec![
        Done::Preview,
        Done::Cancel,
        Done::CancelOrDelete,
        Done::Delete,
        Done::Rename,
        Done::Thumbnail,
    ]);
    prop_oneof![
        6 => asked.prop_map(Call::Submit),
        6 => (0..2usize, choices, any::<bool>()).prop_map(|(by, choices, limits)| Call::Claim(by, choices, limits)),
        8 => (leased, index()).prop_map(|(what, lease)| Call::Leased(what, lease)),
        6 => (done, index(), 0..3usize).prop_map(|(what, job, by)| Call::Job(what, job, by)),
        2 => prop::option::of(0..2usize).prop_map(Call::Recover),
        3 => any::<bool>().prop_map(Call::ClaimDelivery),
        2 => (index(), 0..3u8).prop_map(|(delivery, how)| Call::Settle(delivery, how)),
        1 => (0..2u8, 0..3u8).prop_map(|(name, value)| Call::Memo(name, value)),
        1 => Just(Call::ForgetDeleted),
        3 => (1..40i64).prop_map(Call::Wait),
        1 => Just(Call::Reopen),
    ]
}

/// One of the stores, and what it gave out so far.
struct Side<F> {
    place: F,
    store: Arc<dyn JobStore>,
    now: i64,
    submitted: u32,
    jobs: Vec<JobId>,
    leases: Vec<Lease>,
    deliveries: Vec<Delivery>,
}

/// A result as text that is the same for all stores.
fn told<T: std::fmt::Debug>(result: &Result<T, StoreError>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("{}: {error}", error.kind()),
    }
}

/// Without what each store makes up: names of deliveries and numbers of events.
fn told_of(delivery: &Delivery) -> String {
    let Delivery {
        url,
        host,
        event,
        tries,
        ..
    } = delivery;
    format!("{url} {host} {} {} {:?} {tries}", event.job, event.at, event.kind)
}

fn pick<T: Clone>(all: &[T], index: usize) -> Option<T> {
    (!all.is_empty()).then(|| all[index % all.len()].clone())
}

impl<F: Fixture> Side<F> {
    async fn new() -> Self {
        let place = F::new().await;
        Self {
            store: place.store(),
            place,
            now: 0,
            submitted: 0,
            jobs: Vec::new(),
            leases: Vec::new(),
            deliveries: Vec::new(),
        }
    }

    /// Makes the call; what it answered.
    async fn play(&mut self, call: &Call) -> String {
        let now = at(self.now);
        match call {
            Call::Submit(asked) => self.submit(asked).await,
            Call::Claim(by, choices, limits) => {
                let mut filter = ClaimFilter::of(choices.clone());
                if *limits {
                    filter.running_limits = Arc::new([("bob".to_owned(), 1)].into());
                }
                let claimed = self.store.claim(&worker(WORKERS[*by]), &filter, now, LEASE).await;
                if let Ok(Some(claim)) = &claimed {
                    self.leases.push(claim.lease.clone());
                }
                told(&claimed)
            }
            Call::Leased(what, index) => match pick(&self.leases, *index) {
                Some(lease) => self.leased(*what, &lease).await,
                None => String::new(),
            },
            Call::Job(what, index, by) => match pick(&self.jobs, *index) {
                Some(job) => self.job(*what, job, OWNERS[*by]).await,
                None => String::new(),
            },
            Call::Recover(held_by) => {
                let held_by = held_by.map(|by| worker(WORKERS[by]));
                told(&self.store.recover(now, MAX_ATTEMPTS, held_by.as_ref()).await)
            }
            Call::ClaimDelivery(busy) => {
                let passed_over = busy.then(|| "ada.example".to_owned());
                let next = self
                    .store
                    .claim_delivery(now, Duration::from_secs(10), passed_over.as_slice())
                    .await;
                match next {
                    Ok(NextDelivery::Now(delivery)) => {
                        let told = told_of(&delivery);
                        self.deliveries.push(delivery);
                        told
                    }
                    next => told(&next),
                }
            }
            Call::Settle(index, how) => match pick(&self.deliveries, *index) {
                Some(delivery) => {
                    let problem = "it answered 500".to_owned();
                    let settled = match how {
                        0 => Settled::Delivered,
                        1 => Settled::GivenUp { problem },
                        _ => Settled::Again {
                            at: at(self.now + 7),
                            problem,
                        },
                    };
                    told(&self.store.settle_delivery(&delivery, settled).await)
                }
                None => String::new(),
            },
            Call::Memo(name, value) => {
                let (name, value) = (format!("memo {name}"), format!("value {value}"));
                let before = self.store.memo(&name).await;
                told(&self.store.keep_memo(&name, &value).await) + &told(&before)
            }
            Call::ForgetDeleted => {
                let deleted = self.store.deleted().await.unwrap();
                told(&self.store.forget_deleted(&deleted[..deleted.len() / 2]).await)
            }
            Call::Wait(seconds) => {
                self.now += seconds;
                String::new()
            }
            Call::Reopen => {
                self.store = self.place.opened_again().await;
                String::new()
            }
        }
    }

    async fn submit(&mut self, asked: &Asked) -> String {
        self.submitted += 1;
        let rights = Rights {
            queued: asked.limited.then_some(2),
            kept_bytes: asked.limited.then_some(40),
            ..Rights::default()
        };
        let owner = OWNERS[asked.owner];
        let new = new_job(self.submitted);
        let new = NewJob {
            now: at(self.now),
            owner: Owner::named(owner).with(rights),
            backend: asked.backend,
            priority: asked.priority,
            idempotency: asked
                .key
                .map(|(key, other)| (format!("key {key}"), format!("{other}"))),
            name: asked.name.map(|n| AssetName::from(format!("Stühle {n}"))),
            webhook: asked.hooked.then(|| {
                let host = format!("{owner}.example");
                webhook(&host, &WebhookEvent::ALL)
            }),
            recalled: asked.recalled.then(|| outcome_of(new.id, 0)),
            queue_limit: 6,
            ..new
        };
        let id = new.id;
        let submitted = self.store.submit(new).await;
        if submitted.as_ref().is_ok_and(|submitted| !submitted.replayed) {
            self.jobs.push(id);
        }
        told(&submitted)
    }

    async fn leased(&self, what: Leased, lease: &Lease) -> String {
        let (store, now) = (&self.store, at(self.now));
        match what {
            Leased::Heartbeat => told(&store.heartbeat(lease, now, LEASE).await),
            Leased::Progress => told(&store.progress(lease, now, step(self.submitted)).await),
            Leased::Succeed => {
                let mut outcome = outcome_of(lease.job, lease.attempt);
                outcome.cache_key = Some(CacheKey::new(&[], &new_job(1).params, "x"));
                told(&store.succeed(lease, now, outcome).await)
            }
            Leased::Fail => {
                let failure = Failure::new(FailureKind::NoObject, "nothing \u{0} is seen");
                told(&store.fail(lease, now, failure).await)
            }
            Leased::Release => told(&store.release(lease, now).await),
        }
    }

    async fn job(&self, what: Done, job: JobId, by: &str) -> String {
        let by = Owner::named(by);
        let command = match what {
            Done::Preview => Command::Preview {
                file: file(job, 0, true),
            },
            Done::Cancel => Command::Cancel { by },
            Done::CancelOrDelete => Command::CancelOrDelete { by },
            Done::Delete => Command::Delete,
            Done::Rename => Command::Edit {
                by,
                edit: Edit::Name(AssetName::from(format!("Ärmel {}", self.now))),
            },
            Done::Thumbnail => Command::Edit {
                by,
                edit: Edit::Thumbnail(Thumbnail {
                    format: PictureFormat::Webp,
                    size_bytes: 9,
                    sha256: [0x22; 32].into(),
                    key: BlobKey::thumbnail(job, self.now.unsigned_abs()),
                }),
            },
        };
        told(&self.store.apply(job, at(self.now), command).await)
    }

    /// All that it holds.
    async fn holds(&self) -> Vec<String> {
        let store = &self.store;
        let mut held = vec![
            told(&store.stats().await),
            told(&store.newest().await),
            told(&store.deleted().await),
            told(&store.lapsed(at(self.now), Some(&worker("a"))).await),
            told(&store.expired(Some(2), Some(at(self.now / 2)), 9).await),
        ];
        for choice in [BackendChoice::Auto, BackendChoice::Relief] {
            held.push(told(
                &store.without_preview(&ClaimFilter::of(vec![choice]), 9).await,
            ));
        }
        for id in &self.jobs {
            held.push(told(&store.find(*id).await));
            let events = store.events(Some(*id), 0, 1_000).await;
            held.push(told(&events.map(|events| {
                assert!(events.is_sorted_by(|a, b| a.seq < b.seq));
                events
                    .into_iter()
                    .map(|event| (event.at, event.kind))
                    .collect::<Vec<_>>()
            })));
        }
        let feed = store.events(None, 0, 10_000).await;
        held.push(told(&feed.map(|events| {
            let events = events.into_iter().map(|event| (event.job, event.at, event.kind));
            events.collect::<Vec<_>>()
        })));
        let key = CacheKey::new(&[], &new_job(1).params, "x");
        for owner in OWNERS {
            for sees_all in [false, true] {
                let owner = Owner::named(owner).with(Rights {
                    sees_all,
                    ..Rights::default()
                });
                held.push(told(&store.cached(&owner, &key, 2).await));
                for name in [None, Some("ÄR".to_owned()), Some("hle 1".to_owned())] {
                    for state in [None, Some(JobState::Queued), Some(JobState::Succeeded)] {
                        let query = JobQuery {
                            owner: owner.clone(),
                            name: name.clone(),
                            state,
                            limit: 3,
                            before: self.jobs.last().copied(),
                        };
                        held.push(told(&store.list(query).await));
                    }
                }
            }
        }
        held
    }
}

/// Plays random strings of calls on both.
///
/// # Panics
/// Where one does something else than the other.
pub fn check<A: Fixture, B: Fixture>(cases: u32) {
    let config = ProptestConfig {
        cases,
        max_shrink_iters: 256,
        ..ProptestConfig::default()
    };
    let strings = prop::collection::vec(call(), 1..80);
    let played = TestRunner::new(config).run(&strings, |calls| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(async {
            let (mut one, mut other) = (Side::<A>::new().await, Side::<B>::new().await);
            for call in &calls {
                let (said, said_by_other) = (one.play(call).await, other.play(call).await);
                prop_assert_eq!(said, said_by_other, "{:?}", call);
            }
            for (held, held_by_other) in one.holds().await.into_iter().zip(other.holds().await) {
                prop_assert_eq!(held, held_by_other);
            }
            Ok(())
        })
    });
    if let Err(failed) = played {
        panic!("{failed}");
    }
}
