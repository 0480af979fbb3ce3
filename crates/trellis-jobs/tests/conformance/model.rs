//! Random strings of calls, against a model small enough to be right by reading it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use trellis_core::{BackendChoice, EventKind, Failure, FailureKind, JobId, JobState, Priority};

use super::Fixture;
use super::kit::{at, file, new_job, outcome_of, step, worker};
use crate::rules::Command;
use crate::{ClaimFilter, Heartbeat, JobQuery, JobStore, Lease, Owner, StoreError};

const QUEUE_LIMIT: u64 = 4;
const RUNNING_LIMIT: u64 = 1;
const MAX_ATTEMPTS: u32 = 2;
const LEASE_SECONDS: i64 = 10;
const WORKERS: [&str; 2] = ["a", "b"];
const OWNERS: [&str; 3] = ["", "ada", "bob"];

#[derive(Debug, Clone, Copy)]
enum Call {
    Submit(BackendChoice, usize, Priority),
    Claim(usize, BackendChoice),
    /// The rest names one of the leases given out so far, or one of the jobs.
    Heartbeat(usize),
    Progress(usize),
    Succeed(usize),
    Fail(usize),
    Release(usize),
    Preview(usize),
    Cancel(usize, usize),
    CancelOrDelete(usize, usize),
    Delete(usize),
    Recover(Option<usize>),
    Wait(i64),
    Reopen,
}

fn call() -> impl Strategy<Value = Call> {
    let choice = prop_oneof![Just(BackendChoice::Auto), Just(BackendChoice::Relief)];
    let priority = prop::sample::select(Priority::ALL.to_vec());
    let any = any::<usize>;
    prop_oneof![
        4 => (choice.clone(), 0..3usize, priority).prop_map(|(choice, owner, priority)| Call::Submit(choice, owner, priority)),
        5 => (0..2usize, choice).prop_map(|(worker, choice)| Call::Claim(worker, choice)),
        2 => any().prop_map(Call::Heartbeat),
        2 => any().prop_map(Call::Progress),
        1 => any().prop_map(Call::Preview),
        2 => any().prop_map(Call::Succeed),
        1 => any().prop_map(Call::Fail),
        1 => any().prop_map(Call::Release),
        1 => (any(), 0..3usize).prop_map(|(job, by)| Call::Cancel(job, by)),
        1 => (any(), 0..3usize).prop_map(|(job, by)| Call::CancelOrDelete(job, by)),
        1 => any().prop_map(Call::Delete),
        2 => prop::option::of(0..2usize).prop_map(Call::Recover),
        2 => (1..15i64).prop_map(Call::Wait),
        1 => Just(Call::Reopen),
    ]
}

#[derive(Debug, Clone, PartialEq)]
struct Known {
    state: JobState,
    owner: usize,
    backend: BackendChoice,
    priority: Priority,
    passed_over: u32,
    attempt: u32,
    charged: u32,
    previewed: bool,
    /// Who holds it and until when.
    held: Option<(usize, i64)>,
}

/// What the store should say and know.
#[derive(Default)]
struct Model {
    now: i64,
    submitted: u32,
    jobs: BTreeMap<JobId, Known>,
    leases: Vec<Lease>,
    /// How many claims there were, and which of them served whom last.
    claims: u64,
    turns: BTreeMap<(&'static str, usize), u64>,
}

impl Model {
    /// Which job is to be claimed, by a server that lets no more than [`RUNNING_LIMIT`] jobs of the last owner run.
    fn next(&mut self, choice: BackendChoice) -> Option<JobId> {
        let last = OWNERS.len() - 1;
        let runs = |known: &&Known| known.state == JobState::Running && known.owner == last;
        let is_full = self.jobs.values().filter(runs).count() as u64 >= RUNNING_LIMIT;
        let fits = |known: &Known| {
            known.state == JobState::Queued && known.backend == choice && !(is_full && known.owner == last)
        };
        let waiting = self.jobs.iter().filter(|(_, known)| fits(known));
        let order = |(id, known): &(&JobId, &Known)| {
            let turn = self
                .turns
                .get(&(choice.name(), known.owner))
                .copied()
                .unwrap_or(0);
            if known.attempt > 0 {
                (false, 0, **id)
            } else {
                (true, turn, **id)
            }
        };
        let (first, known) = waiting.clone().min_by_key(order)?;
        if known.attempt > 0 {
            return Some(*first);
        }
        // The owner's oldest of each priority: ids rise, and the last wins.
        let own = waiting.filter(|(_, other)| other.owner == known.owner);
        let oldest: BTreeMap<Priority, JobId> = own.rev().map(|(id, known)| (known.priority, *id)).collect();
        let overdue = oldest.values().filter(|id| self.jobs[*id].passed_over >= 3);
        let chosen = *overdue.min().or(oldest.values().next_back())?;
        for id in oldest.into_values().filter(|id| *id < chosen) {
            self.jobs.entry(id).and_modify(|known| known.passed_over += 1);
        }
        Some(chosen)
    }

    fn holder(&mut self, lease: &Lease) -> Option<&mut Known> {
        let held = |known: &Known| {
            known
                .held
                .is_some_and(|(worker, _)| WORKERS[worker] == lease.worker.0)
                && known.attempt == lease.attempt
        };
        self.jobs.get_mut(&lease.job).filter(|known| held(known))
    }

    /// Ends or requeues the job of a lease; whether the lease held.
    fn leave(&mut self, lease: &Lease, state: JobState) -> bool {
        let Some(known) = self.holder(lease) else {
            return false;
        };
        (known.state, known.held) = (state, None);
        true
    }
}

struct Game<F> {
    place: F,
    store: Arc<dyn JobStore>,
    model: Model,
}

fn lost<T>(result: Result<T, StoreError>) -> bool {
    match result {
        Ok(_) => false,
        Err(StoreError::LeaseLost { .. }) => true,
        Err(error) => panic!("{error:?}"),
    }
}

impl<F: Fixture> Game<F> {
    fn lease(&self, index: usize) -> Option<Lease> {
        let leases = &self.model.leases;
        (!leases.is_empty()).then(|| leases[index % leases.len()].clone())
    }

    fn job(&self, index: usize) -> Option<JobId> {
        let jobs = &self.model.jobs;
        (!jobs.is_empty()).then(|| *jobs.keys().nth(index % jobs.len()).unwrap())
    }

    async fn play(&mut self, call: Call) {
        match call {
            Call::Submit(backend, owner, priority) => self.submit(backend, owner, priority).await,
            Call::Claim(by, choice) => self.claim(by, choice).await,
            Call::Recover(held_by) => self.recover(held_by).await,
            Call::Wait(seconds) => self.model.now += seconds,
            Call::Reopen => self.store = self.place.opened_again().await,
            Call::Preview(index) => self.preview(index).await,
            Call::Cancel(index, by) => self.cancel(index, by).await,
            Call::CancelOrDelete(index, by) => self.cancel_or_delete(index, by).await,
            Call::Delete(index) => self.delete(index).await,
            Call::Heartbeat(index)
            | Call::Progress(index)
            | Call::Succeed(index)
            | Call::Fail(index)
            | Call::Release(index) => {
                if let Some(lease) = self.lease(index) {
                    self.with_lease(call, lease).await;
                }
            }
        }
    }

    async fn submit(&mut self, backend: BackendChoice, owner: usize, priority: Priority) {
        self.model.submitted += 1;
        let mut new = new_job(self.model.submitted);
        (new.backend, new.queue_limit) = (backend, QUEUE_LIMIT);
        (new.owner, new.priority) = (Owner::named(OWNERS[owner]), priority);
        let id = new.id;
        let queued = self
            .model
            .jobs
            .values()
            .filter(|known| known.state == JobState::Queued)
            .count() as u64;
        match self.store.submit(new).await {
            Ok(_) => assert!(queued < QUEUE_LIMIT),
            Err(StoreError::QueueFull { .. }) => return assert!(queued >= QUEUE_LIMIT),
            Err(error) => panic!("{error:?}"),
        }
        let known = Known {
            state: JobState::Queued,
            owner,
            backend,
            priority,
            passed_over: 0,
            attempt: 0,
            charged: 0,
            previewed: false,
            held: None,
        };
        self.model.jobs.insert(id, known);
    }

    async fn claim(&mut self, by: usize, choice: BackendChoice) {
        let last = OWNERS[OWNERS.len() - 1].to_owned();
        let filter = ClaimFilter {
            running_limits: Arc::new([(last, RUNNING_LIMIT)].into()),
            ..ClaimFilter::of(vec![choice])
        };
        let lease = Duration::from_secs(LEASE_SECONDS as u64);
        let now = self.model.now;
        let claim = self
            .store
            .claim(&worker(WORKERS[by]), &filter, at(now), lease)
            .await
            .unwrap();
        let next = self.model.next(choice);
        assert_eq!(claim.as_ref().map(|claim| claim.lease.job), next);
        if let (Some(claim), Some(id)) = (claim, next) {
            let known = self.model.jobs.get_mut(&id).unwrap();
            known.state = JobState::Running;
            known.attempt += 1;
            known.charged += 1;
            known.held = Some((by, now + LEASE_SECONDS));
            assert_eq!(claim.lease.attempt, known.attempt);
            self.model.claims += 1;
            self.model
                .turns
                .insert((choice.name(), known.owner), self.model.claims);
            self.model.leases.push(claim.lease);
        }
    }

    async fn with_lease(&mut self, call: Call, lease: Lease) {
        let (store, now) = (&self.store, at(self.model.now));
        let until = self.model.now + LEASE_SECONDS;
        match call {
            Call::Heartbeat(_) => {
                let beat = store
                    .heartbeat(&lease, now, Duration::from_secs(LEASE_SECONDS as u64))
                    .await;
                if let Some(known) = self.model.holder(&lease) {
                    known.held = known.held.map(|(worker, _)| (worker, until));
                    assert_eq!(beat.unwrap(), Heartbeat::Continue);
                } else if let Ok(beat) = beat {
                    assert_eq!(beat, Heartbeat::Cancelled);
                    assert_eq!(self.model.jobs[&lease.job].state, JobState::Cancelled);
                }
            }
            Call::Progress(_) => {
                let lost = lost(store.progress(&lease, now, step(1)).await);
                assert_eq!(lost, self.model.holder(&lease).is_none());
            }
            Call::Succeed(_) => {
                let outcome = outcome_of(lease.job, lease.attempt);
                let lost = lost(store.succeed(&lease, now, outcome).await);
                // Told again, it is the same success.
                let told_before = self.model.jobs.get(&lease.job).is_some_and(|known| {
                    known.state == JobState::Succeeded && known.attempt == lease.attempt
                });
                assert_eq!(
                    !lost,
                    told_before || self.model.leave(&lease, JobState::Succeeded)
                );
            }
            Call::Fail(_) => {
                let lost = lost(
                    store
                        .fail(&lease, now, Failure::new(FailureKind::NoObject, "none"))
                        .await,
                );
                assert_eq!(!lost, self.model.leave(&lease, JobState::Failed));
            }
            _ => {
                let lost = lost(store.release(&lease, now).await);
                assert_eq!(!lost, self.model.leave(&lease, JobState::Queued));
                if !lost {
                    self.model.jobs.get_mut(&lease.job).unwrap().charged -= 1;
                }
            }
        }
    }

    async fn preview(&mut self, index: usize) {
        let Some(id) = self.job(index) else { return };
        let listed = self
            .store
            .preview(id, at(self.model.now), file(id, 0, true))
            .await;
        let known = self.model.jobs.get_mut(&id).unwrap();
        assert_eq!(listed.is_ok(), !known.state.is_final(), "{listed:?}");
        known.previewed |= listed.is_ok();
    }

    /// Has an owner cancel a job, and whether that owner sees it.
    async fn ask(&self, id: JobId, by: usize, command: fn(Owner) -> Command) -> Result<bool, StoreError> {
        let command = command(Owner::named(OWNERS[by]));
        let applied = self.store.apply(id, at(self.model.now), command).await;
        let owner = self.model.jobs[&id].owner;
        let sees = owner == by || OWNERS[owner].is_empty();
        match applied {
            Err(StoreError::NotFound { .. }) if !sees => Ok(false),
            Err(error) => Err(error),
            Ok(_) => {
                assert!(sees);
                Ok(true)
            }
        }
    }

    async fn cancel(&mut self, index: usize, by: usize) {
        let Some(id) = self.job(index) else { return };
        let cancelled = self.ask(id, by, |by| Command::Cancel { by }).await;
        let known = self.model.jobs.get_mut(&id).unwrap();
        match cancelled {
            Ok(false) => {}
            Ok(true) => {
                assert!(!known.state.is_final());
                (known.state, known.held) = (JobState::Cancelled, None);
            }
            Err(error) => assert!(known.state.is_final(), "{error:?}"),
        }
    }

    async fn cancel_or_delete(&mut self, index: usize, by: usize) {
        let Some(id) = self.job(index) else { return };
        let done = self.ask(id, by, |by| Command::CancelOrDelete { by }).await;
        let known = self.model.jobs.get_mut(&id).unwrap();
        match (done.unwrap(), known.state.is_final()) {
            (false, _) => {}
            (true, false) => (known.state, known.held) = (JobState::Cancelled, None),
            (true, true) => drop(self.model.jobs.remove(&id)),
        }
    }

    async fn delete(&mut self, index: usize) {
        let Some(id) = self.job(index) else { return };
        let deleted = self.store.apply(id, at(self.model.now), Command::Delete).await;
        let is_final = self.model.jobs[&id].state.is_final();
        assert_eq!(deleted.is_ok(), is_final, "{deleted:?}");
        if is_final {
            self.model.jobs.remove(&id);
        }
    }

    async fn recover(&mut self, held_by: Option<usize>) {
        let name = held_by.map(|by| worker(WORKERS[by]));
        let now = self.model.now;
        let recovered = self
            .store
            .recover(at(now), MAX_ATTEMPTS, name.as_ref())
            .await
            .unwrap();
        let (mut requeued, mut failed) = (vec![], vec![]);
        let is_lost = |(by, until): &(usize, i64)| *until <= now || Some(*by) == held_by;
        let held = self.model.jobs.values().filter_map(|known| known.held);
        let lost: Vec<usize> = held.filter(is_lost).map(|(by, _)| by).collect();
        for (id, known) in &mut self.model.jobs {
            let Some((by, _)) = known.held.filter(is_lost) else {
                continue;
            };
            known.held = None;
            let alone = lost.iter().filter(|other| **other == by).count() == 1;
            if !alone {
                known.charged -= 1;
            }
            if !alone || known.charged < MAX_ATTEMPTS {
                known.state = JobState::Queued;
                requeued.push(*id);
            } else {
                known.state = JobState::Failed;
                failed.push(*id);
            }
        }
        assert_eq!((recovered.requeued, recovered.failed), (requeued, failed));
    }

    /// No job is lost and none invented; each is where the model says, and its story is whole.
    async fn compare(&self) {
        let mut listed = Vec::new();
        for id in self.model.jobs.keys() {
            listed.push(self.store.get(*id).await.unwrap());
        }
        for (owner, name) in OWNERS.iter().enumerate() {
            let query = JobQuery {
                owner: Owner::named(name),
                limit: 1_000,
                ..JobQuery::default()
            };
            let page = self.store.list(query).await.unwrap().jobs;
            let sees = |known: &Known| known.owner == owner || OWNERS[known.owner].is_empty();
            let visible = self.model.jobs.iter().rev().filter(|(_, known)| sees(known));
            let visible: Vec<JobId> = visible.map(|(id, _)| *id).collect();
            assert_eq!(page.iter().map(|job| job.id).collect::<Vec<_>>(), visible);
        }
        let seen: Vec<_> = listed
            .iter()
            .map(|job| (job.id, job.state, job.attempt))
            .collect();
        let known: Vec<_> = self
            .model
            .jobs
            .iter()
            .map(|(id, known)| (*id, known.state, known.attempt))
            .collect();
        assert_eq!(seen, known);
        let filter = ClaimFilter::of(vec![BackendChoice::Auto]);
        let found = self.store.without_preview(&filter, 1_000).await.unwrap();
        let is_without = |known: &Known| {
            !known.state.is_final() && !known.previewed && known.backend == BackendChoice::Auto
        };
        let without = self.model.jobs.iter().filter(|(_, known)| is_without(known));
        assert_eq!(found, without.map(|(id, _)| *id).collect::<Vec<_>>());
        for job in listed {
            assert_eq!(job.history.last().map(|entry| entry.state), Some(job.state));
            assert_eq!(job.failure.is_some(), job.state == JobState::Failed);
            assert!(job.progress.is_none() || job.state == JobState::Running);
            let events = self.store.events(Some(job.id), 0, 1_000).await.unwrap();
            assert!(events.is_sorted_by(|a, b| a.seq < b.seq));
            let states = events.into_iter().filter_map(|event| match event.kind {
                EventKind::State { state, attempt, .. } => Some((state, attempt)),
                _ => None,
            });
            let history: Vec<_> = job
                .history
                .iter()
                .map(|entry| (entry.state, entry.attempt))
                .collect();
            assert_eq!(states.collect::<Vec<_>>(), history);
        }
    }
}

/// Plays random strings of calls.
///
/// # Panics
/// Where the store does something else than the model.
pub fn check<F: Fixture>() {
    let config = ProptestConfig {
        cases: 64,
        max_shrink_iters: 512,
        ..ProptestConfig::default()
    };
    let strings = prop::collection::vec(call(), 1..60);
    let played = TestRunner::new(config).run(&strings, |calls| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(async {
            let place = F::new().await;
            let (store, model) = (place.store(), Model::default());
            let mut game = Game { place, store, model };
            for call in calls {
                game.play(call).await;
            }
            game.compare().await;
        });
        Ok(())
    });
    if let Err(failed) = played {
        panic!("{failed}");
    }
}
