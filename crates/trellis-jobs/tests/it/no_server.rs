//! Jobs that no server can do: they say so, and fail once that was so for long enough.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;
use trellis_core::{Demand, Failure, FailureKind, Format, JobId, JobState, Model, Sha256};
use trellis_jobs::{
    BlobKey, BlobStore as _, JobQuery, JobStore, Jobs, Makers, Needs, NewJob, Owner, Patience, Watch, lacking,
};

use crate::kit::{Place, at, every_choice, new_job, worker};

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// No server has the closure `gone`, and none decodes.
struct Without;

impl Makers for Without {
    fn made_by(&self, _: Demand, _: &[Format]) -> Result<Option<String>, Failure> {
        Ok(None)
    }

    fn default_model(&self) -> Model {
        Model::DEFAULT
    }

    fn lack(&self, _: Demand, needs: &str) -> Option<Failure> {
        let needs = Needs::from_text(needs)?;
        let lacks = needs.closure.as_deref() == Some("gone") || needs.decoder.is_some();
        lacks.then(|| Failure {
            fix: "start one".to_owned(),
            ..Failure::new(FailureKind::NoServer, "no server has it")
        })
    }
}

async fn submitted(place: &Place, n: u32, needs: Needs) -> JobId {
    let new = NewJob { needs, ..new_job(n) };
    place.store.submit(new).await.unwrap().job.id
}

fn closure(name: &str) -> Needs {
    Needs {
        closure: Some(name.to_owned()),
        ..Needs::default()
    }
}

fn decoded() -> Needs {
    Needs {
        decoder: Some(Sha256::of("another")),
        ..Needs::default()
    }
}

fn watch(place: &Place, name: &str) -> Watch {
    let patience = Patience {
        any: Some(Duration::from_secs(7 * DAY)),
        decoded: Some(Duration::from_secs(DAY)),
    };
    let blobs = Arc::new(place.blobs.clone());
    Watch::new(
        Arc::new(place.store.clone()),
        blobs,
        Arc::new(Without),
        patience,
        name,
    )
}

/// Time as a watch and a calendar tell it.
struct Clock {
    begun: Instant,
    seconds: u64,
}

impl Clock {
    fn new() -> Self {
        Self {
            begun: Instant::now(),
            seconds: 0,
        }
    }

    fn calendar(&self) -> Timestamp {
        at(100) + SignedDuration::from_secs(self.seconds.cast_signed())
    }

    /// Looks each minute for so long; says how many jobs failed.
    async fn looks(&mut self, watch: &mut Watch, seconds: u64) -> u64 {
        let mut failed = 0;
        for _ in 0..seconds / 60 {
            self.seconds += 60;
            let now = self.begun + Duration::from_secs(self.seconds);
            failed += watch.look(now, self.calendar()).await.unwrap();
        }
        failed
    }
}

async fn state(place: &Place, id: JobId) -> JobState {
    place.store.get(id).await.unwrap().state
}

#[tokio::test]
async fn a_job_that_no_server_can_do_says_so_while_it_waits() {
    let place = Place::new();
    let jobs = Jobs {
        makers: Arc::new(Without),
        ..place.jobs()
    };
    let nobody = Owner::default();
    let stuck = submitted(&place, 1, closure("gone")).await;
    let fine = submitted(&place, 2, closure("here")).await;
    let shown = jobs.get(&nobody, stuck).await.unwrap().waits_for.unwrap();
    assert_eq!(shown.kind, FailureKind::NoServer);
    assert_eq!((&*shown.message, &*shown.fix), ("no server has it", "start one"));
    assert_eq!(jobs.get(&nobody, fine).await.unwrap().waits_for, None);
    let all = JobQuery {
        limit: 10,
        ..JobQuery::default()
    };
    let listed = jobs.list(&nobody, all).await.unwrap().jobs;
    let listed: Vec<_> = listed.into_iter().map(|job| (job.id, job.waits_for)).collect();
    assert_eq!(listed, [(fine, None), (stuck, Some(shown))]);
    let found = lacking(&place.store, &Without).await.unwrap();
    assert_eq!(found.len(), 1, "{found:?}");

    let claim = place
        .store
        .claim(&worker("a"), &every_choice(), at(9), Duration::from_secs(30))
        .await;
    assert_eq!(claim.unwrap().unwrap().lease.job, stuck);
    assert_eq!(jobs.get(&nobody, stuck).await.unwrap().waits_for, None, "it runs");
}

#[tokio::test]
async fn it_fails_once_no_server_could_do_it_for_long_enough_and_others_wait_on() {
    let place = Place::new();
    let stuck = submitted(&place, 1, closure("gone")).await;
    let fine = submitted(&place, 2, closure("here")).await;
    let export = submitted(&place, 3, decoded()).await;
    let sampled = BlobKey::source_latents(export);
    place
        .blobs
        .put(&sampled, Bytes::from_static(b"sampled"))
        .await
        .unwrap();
    let (mut clock, mut watch) = (Clock::new(), watch(&place, "a"));

    assert_eq!(clock.looks(&mut watch, DAY).await, 0);
    assert_eq!(
        clock.looks(&mut watch, 2 * 60).await,
        1,
        "what was sampled is kept for a day"
    );
    assert_eq!(state(&place, export).await, JobState::Failed);
    assert!(
        place.blobs.get(&sampled).await.is_err(),
        "nobody needs it any more"
    );

    // Accepted later than the others, of the kind that nobody can do.
    let new = NewJob {
        now: clock.calendar(),
        needs: closure("gone"),
        ..new_job(4)
    };
    let later = place.store.submit(new).await.unwrap().job.id;
    assert_eq!(clock.looks(&mut watch, 6 * DAY - HOUR).await, 0);
    assert_eq!(clock.looks(&mut watch, 2 * HOUR).await, 1);
    let failed = place.store.get(stuck).await.unwrap().failure.unwrap();
    assert_eq!(failed.kind, FailureKind::NoServer);
    assert_eq!(
        failed.message,
        "no server could do the job for 168 hours: no server has it"
    );
    assert_eq!(failed.fix, "start one");
    for id in [fine, later] {
        assert_eq!(state(&place, id).await, JobState::Queued);
    }
}

#[tokio::test]
async fn time_in_which_nobody_watched_does_not_count() {
    let place = Place::new();
    let stuck = submitted(&place, 1, decoded()).await;
    let mut clock = Clock::new();
    clock.looks(&mut watch(&place, "a"), 23 * HOUR).await;
    // All servers are off for a week; the workers come a little later than whoever watches.
    clock.seconds += 7 * DAY;
    let mut again = watch(&place, "a");
    assert_eq!(clock.looks(&mut again, HOUR).await, 0);
    assert_eq!(state(&place, stuck).await, JobState::Queued);
    assert_eq!(clock.looks(&mut again, 2 * 60).await, 1);
}

#[tokio::test]
async fn of_several_that_watch_one_counts_and_another_takes_over() {
    let place = Place::new();
    submitted(&place, 1, decoded()).await;
    let (mut clock, mut a, mut b) = (Clock::new(), watch(&place, "a"), watch(&place, "b"));
    for _ in 0..12 * 60 {
        // Half a minute apart, and still each minute counts once.
        assert_eq!(clock.looks(&mut a, 60).await, 0);
        let now = clock.begun + Duration::from_secs(clock.seconds + 30);
        assert_eq!(b.look(now, clock.calendar()).await.unwrap(), 0);
    }
    // `a` is gone. `b` counts from where it stood, once it is sure.
    assert_eq!(clock.looks(&mut b, 12 * HOUR).await, 0);
    assert_eq!(clock.looks(&mut b, HOUR).await, 1);
}

/// As while the database is down: no look succeeds.
#[tokio::test]
async fn time_in_which_nobody_could_look_does_not_count() {
    let place = Place::new();
    let stuck = submitted(&place, 1, closure("gone")).await;
    let (mut clock, mut watch) = (Clock::new(), watch(&place, "a"));
    assert_eq!(clock.looks(&mut watch, 3600).await, 0);
    clock.seconds += 8 * DAY;
    assert_eq!(clock.looks(&mut watch, 3600).await, 0);
    assert_eq!(state(&place, stuck).await, JobState::Queued);
}
