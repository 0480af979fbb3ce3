//! What gets in, what does not, and what is left behind.

use bytes::Bytes;
use trellis_core::{BackendChoice, JobState, ParamsPatch};
use trellis_jobs::{BlobKey, BlobStore, IntakeError, JobStore, StoreError, Submission};

use crate::kit::{Place, picture};

fn of(pictures: Vec<Bytes>) -> Submission {
    Submission {
        pictures,
        ..Submission::default()
    }
}

async fn refused(place: &Place, submission: Submission) -> IntakeError {
    let error = place.intake().submit(submission).await.unwrap_err();
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
    let job = place.intake().submit(submission).await.unwrap().job;
    assert_eq!(
        (job.state, job.backend),
        (JobState::Queued, BackendChoice::Relief)
    );
    assert_eq!((job.inputs[1].width, job.inputs[1].height), (9, 9));
    assert_eq!(job.inputs[0].size_bytes, pictures[0].len() as u64);
    for (index, bytes) in pictures.iter().enumerate() {
        let key = BlobKey::input(job.id, u32::try_from(index).unwrap());
        assert_eq!(place.blobs.get(&key).await.unwrap(), bytes);
    }
    assert_eq!(place.opened_again().get(job.id).await.unwrap(), job);
}

#[tokio::test]
async fn what_cannot_be_used_is_refused_and_leaves_nothing() {
    let place = Place::new();
    let bad_seed = ParamsPatch::default().with("seed", -1);
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

#[tokio::test]
async fn a_replay_and_a_full_queue_leave_no_pictures_behind() {
    let place = Place::new();
    let key = |digest: &str| Submission {
        idempotency: Some(("key".to_owned(), digest.to_owned())),
        ..of(vec![picture(4)])
    };
    let first = place.intake().submit(key("x")).await.unwrap();
    let again = place.intake().submit(key("x")).await.unwrap();
    assert_eq!((again.job, again.replayed), (first.job.clone(), true));
    let other = place.intake().submit(key("y")).await.unwrap_err();
    assert_eq!(other.kind(), "idempotency_key_reused");
    for _ in 1..5 {
        place.intake().submit(of(vec![picture(4)])).await.unwrap();
    }
    let full = place.intake().submit(of(vec![picture(4)])).await.unwrap_err();
    assert!(matches!(
        full,
        IntakeError::Store(StoreError::QueueFull { queued: 5, limit: 5 })
    ));
    assert_eq!(place.blobs.jobs().await.unwrap().len(), 5);
}
