//! What gets in, what does not, and what is left behind.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use trellis_core::{BackendChoice, Format, JobState, ParamsPatch, Priority, Sha256, WebhookEvent};
use trellis_jobs::conformance::forgetful::Forgetful;
use trellis_jobs::{Asked, BlobKey, BlobStore, JobStore, Jobs, Owner, StoreError, SubmitError, Terms};

use crate::kit::{Place, Submission, picture, submit, webhook};

fn of(pictures: Vec<Bytes>) -> Submission {
    Submission {
        pictures,
        ..Submission::default()
    }
}

async fn refused(place: &Place, submission: Submission) -> SubmitError {
    let error = submit(&place.jobs(), submission, Terms::default())
        .await
        .unwrap_err();
    assert_eq!(place.store.stats().await.unwrap().queued, 0);
    assert!(
        place.blobs.jobs().await.unwrap().is_empty(),
        "something was left: {error}"
    );
    error
}

#[tokio::test]
async fn a_submission_is_kept_whole() {
    let place = Place::new();
    let pictures = vec![picture(4), picture(9)];
    let submission = Submission {
        backend: BackendChoice::Relief,
        ..of(pictures.clone())
    };
    let job = submit(&place.jobs(), submission, Terms::default())
        .await
        .unwrap()
        .job;
    assert_eq!(
        (job.state, job.backend),
        (JobState::Queued, BackendChoice::Relief)
    );
    assert_eq!(job.inputs[1].file.pixels(), 81);
    assert_eq!(job.inputs[0].size_bytes, pictures[0].len() as u64);
    for (index, bytes) in pictures.iter().enumerate() {
        let key = BlobKey::input(job.id, u32::try_from(index).unwrap());
        assert_eq!(place.blobs.get(&key).await.unwrap(), bytes);
    }
    assert_eq!(place.opened_again().get(job.id).await.unwrap(), job);
}

/// A client that goes away leaves a job behind or nothing, not pictures that nobody knows; whenever that is.
#[tokio::test]
async fn a_submission_whose_client_goes_away_is_not_left_half_done() {
    for polls in 1..12 {
        let place = Place::new();
        let jobs = place.jobs();
        let mut intake = jobs.intake();
        intake.add(picture(4), None).await.unwrap();
        let id = intake.id();
        let mut submission = Box::pin(jobs.submit(intake, Asked::default(), Terms::default()));
        for _ in 0..polls {
            let pending = poll_fn(|context| Poll::Ready(submission.as_mut().poll(context).is_pending()));
            if !pending.await {
                return;
            }
            // Time for the disk.
            place.blobs.jobs().await.unwrap();
        }
        drop(submission);
        let settled = async {
            while !place.blobs.jobs().await.unwrap().is_empty() && place.store.find(id).await.is_err() {}
        };
        let settled = tokio::time::timeout(Duration::from_secs(20), settled).await;
        assert!(settled.is_ok(), "files without a job after {polls} polls");
    }
}

#[tokio::test]
async fn what_cannot_be_used_is_refused_and_leaves_nothing() {
    let place = Place::new();
    let bad_seed = ParamsPatch::default().with("seed", -1);
    let not_made_here = ParamsPatch::default().with("formats", vec![Format::Stl]);
    let cases = [
        (of(vec![]), "no_picture"),
        (of(vec![picture(4); 4]), "too_many_pictures"),
        (
            of(vec![picture(4), Bytes::from_static(b"8BPS\0\x01")]),
            "picture_format",
        ),
        (of(vec![picture(101)]), "picture_too_large"),
        (of(vec![picture(4).slice(..20)]), "picture_damaged"),
        (
            Submission {
                patch: not_made_here,
                ..of(vec![picture(4)])
            },
            "unsupported",
        ),
        (
            Submission {
                patch: bad_seed,
                ..of(vec![picture(4)])
            },
            "invalid_parameter",
        ),
    ];
    for (submission, kind) in cases {
        let error = refused(&place, submission).await;
        assert_eq!(error.kind(), kind);
        assert!(!error.advice().is_empty());
    }
}

/// The database did it and could not say so: the job is there, and its pictures with it.
#[tokio::test]
async fn pictures_stay_where_nobody_knows_whether_the_job_was_accepted() {
    let place = Place::new();
    let jobs = Jobs {
        store: Arc::new(Forgetful::new(Arc::new(place.store.clone()), 1)),
        ..place.jobs()
    };
    let lost = submit(&jobs, of(vec![picture(4)]), keyed("key", ""))
        .await
        .unwrap_err();
    assert_eq!(lost.kind(), "database_unavailable");
    // Asked again, it answers with the same job, and only that one's pictures are kept.
    let again = submit(&jobs, of(vec![picture(4)]), keyed("key", ""))
        .await
        .unwrap();
    assert!(again.replayed);
    let id = again.job.id;
    assert_eq!(place.blobs.jobs().await.unwrap(), [id]);
    assert_eq!(place.blobs.get(&BlobKey::input(id, 0)).await.unwrap(), picture(4));
}

fn keyed(key: &str, owner: &str) -> Terms {
    Terms {
        owner: Owner::named(owner),
        idempotency_key: Some(key.to_owned()),
        traceparent: None,
        no_cache: false,
    }
}

#[tokio::test]
async fn a_replay_and_a_full_queue_leave_no_pictures_behind() {
    let place = Place::new();
    let jobs = place.jobs();
    let sent = |side| submit(&jobs, of(vec![picture(side)]), keyed("key", ""));
    let first = sent(4).await.unwrap();
    let again = sent(4).await.unwrap();
    assert_eq!((again.job, again.replayed), (first.job.clone(), true));
    let other = sent(5).await.unwrap_err();
    assert_eq!(other.kind(), "idempotency_key_reused");
    for _ in 1..5 {
        submit(&jobs, of(vec![picture(4)]), Terms::default())
            .await
            .unwrap();
    }
    let full = submit(&jobs, of(vec![picture(4)]), Terms::default())
        .await
        .unwrap_err();
    assert!(matches!(
        full,
        SubmitError::Store(StoreError::QueueFull { queued: 5, limit: 5 })
    ));
    assert_eq!(place.blobs.jobs().await.unwrap().len(), 5);
}

/// The digests are kept with jobs: what an earlier version accepted is found again by this one.
#[tokio::test]
async fn a_request_without_a_priority_is_the_one_of_earlier_versions() {
    let place = Place::new();
    let jobs = place.jobs();
    let sent = |priority| {
        let submission = Submission {
            priority,
            ..of(vec![picture(4)])
        };
        submit(&jobs, submission, keyed("key", "ada"))
    };
    let first = sent(Priority::Normal).await.unwrap();
    let database = rusqlite::Connection::open(place.folder.path().join("jobs.db")).unwrap();
    let digest: String = database
        .query_row("SELECT idempotency_digest FROM jobs", [], |row| row.get(0))
        .unwrap();
    let asked = (
        [Sha256::of(picture(4))],
        BackendChoice::Auto,
        ParamsPatch::default(),
    );
    assert_eq!(
        digest,
        Sha256::of(serde_json::to_vec(&asked).unwrap()).to_string()
    );
    assert_eq!(sent(Priority::Normal).await.unwrap().job, first.job);
    assert_eq!(
        sent(Priority::Low).await.unwrap_err().kind(),
        "idempotency_key_reused"
    );
}

#[tokio::test]
async fn everything_that_is_asked_makes_another_request() {
    let place = Place::new();
    let jobs = place.jobs();
    let one = of(vec![picture(4), picture(5)]);
    let first = submit(&jobs, one.clone(), keyed("key", "ada")).await.unwrap().job;
    let swapped = of(vec![picture(5), picture(4)]);
    let seeded = Submission {
        patch: ParamsPatch::default().with("seed", 1),
        ..one.clone()
    };
    let elsewhere = Submission {
        backend: BackendChoice::Relief,
        ..one.clone()
    };
    let hooked = Submission {
        webhook: Some(webhook("one.example", &WebhookEvent::FINAL)),
        ..one.clone()
    };
    let urgent = Submission {
        priority: Priority::High,
        ..one.clone()
    };
    for other in [swapped, seeded, elsewhere, hooked, urgent] {
        let refused = submit(&jobs, other, keyed("key", "ada")).await.unwrap_err();
        assert_eq!(refused.kind(), "idempotency_key_reused");
    }
    // What the file was called is not asked.
    let renamed = Submission {
        name: trellis_core::AssetName::of_file("chair.png"),
        ..one.clone()
    };
    assert_eq!(
        submit(&jobs, renamed, keyed("key", "ada")).await.unwrap().job,
        first
    );
    let of_another = submit(&jobs, one, keyed("key", "bob")).await.unwrap();
    assert!(!of_another.replayed && of_another.job.id != first.id);
}
