//! Results of earlier jobs: when one is taken, when not, and that none is ever half there.

use std::path::PathBuf;

use bytes::Bytes;
use trellis_core::{Artifact, Format, Job, JobId, JobState, ParamsPatch, Sha256, StatementFile};
use trellis_jobs::{
    BlobKey, BlobStore, CacheKey, Delivered, DeliveredStatement, Jobs, Outcome, Owner, Removed, Terms,
};

use crate::kit::{Place, Submission, at, claim, jobs, picture, submit};

/// The bytes of a result; each seed has its own.
fn bytes(seed: u32) -> Bytes {
    Bytes::from([u8::try_from(seed % 251).unwrap()].repeat(100))
}

fn submission(seed: Option<u32>) -> Submission {
    Submission {
        pictures: vec![picture(4)],
        patch: seed.map_or_else(ParamsPatch::default, |seed| {
            ParamsPatch::default().with("seed", seed)
        }),
        ..Submission::default()
    }
}

fn of(owner: &str) -> Terms {
    Terms {
        owner: Owner::named(owner),
        ..Terms::default()
    }
}

/// Has a job made as `made_by` does, unless it is done already. Then it is `cached`.
async fn made(jobs: &Jobs, submission: Submission, terms: Terms) -> Job {
    let job = submit(jobs, submission, terms).await.unwrap().job;
    if job.state.is_final() {
        return job;
    }
    let claim = claim(&*jobs.store, "a", 0).await.unwrap();
    assert_eq!(claim.lease.job, job.id);
    let made_by = jobs.makers.made_by(job.demand(), &job.params.formats).unwrap();
    let mut outcome = put_outcome(jobs, job.id, job.params.seed).await;
    outcome.cache_key = made_by.map(|made_by| CacheKey::new(&job.inputs, &job.params, &made_by));
    jobs.store.succeed(&claim.lease, at(1), outcome).await.unwrap();
    jobs.store.get(job.id).await.unwrap()
}

async fn put_outcome(jobs: &Jobs, job: JobId, seed: u32) -> Outcome {
    let model = BlobKey::artifact(job, 1, "model.glb");
    let statement = BlobKey::statement(job, 1, "model.intoto.json");
    jobs.blobs.put(&model, bytes(seed)).await.unwrap();
    jobs.blobs
        .put(&statement, Bytes::from_static(b"{}"))
        .await
        .unwrap();
    Outcome {
        made_by: "relief".to_owned(),
        artifacts: vec![Delivered {
            artifact: Artifact {
                name: "model.glb".to_owned(),
                format: Format::Glb,
                media_type: Format::Glb.media_type().to_owned(),
                size_bytes: bytes(seed).len() as u64,
                sha256: Sha256::of(bytes(seed)),
                preview: false,
            },
            key: model,
        }],
        notes: vec!["as made".to_owned()],
        timings: None,
        provenance: None,
        statement: Some(DeliveredStatement {
            file: StatementFile {
                name: "model.intoto.json".to_owned(),
                media_type: "application/vnd.in-toto+json".to_owned(),
                size_bytes: 2,
                sha256: Sha256::of("{}"),
                signed_by: None,
            },
            key: statement,
        }),
        latents: None,
        cache_key: None,
    }
}

#[tokio::test]
async fn the_same_request_is_done_at_once_with_the_same_files() {
    let place = Place::new();
    let jobs = place.jobs();
    let first = made(&jobs, submission(Some(7)), of("")).await;
    assert!(!first.cached);
    let second = made(&jobs, submission(Some(7)), of("")).await;
    assert_eq!(
        (second.state, second.cached, second.attempt),
        (JobState::Succeeded, true, 0)
    );
    assert_ne!(second.id, first.id);
    assert_eq!(
        (
            &second.artifacts,
            &second.notes,
            &second.made_by,
            &second.statement
        ),
        (&first.artifacts, &first.notes, &first.made_by, &first.statement)
    );
    // The second needs the first no more, and stands for it.
    let nobody = Owner::default();
    assert_eq!(
        jobs.cancel_or_delete(&nobody, first.id).await.unwrap(),
        Removed::Deleted
    );
    let third = made(&jobs, submission(Some(7)), of("")).await;
    assert!(third.cached);
    for job in [second.id, third.id] {
        let found = jobs.artifact(&nobody, job, "model.glb").await.unwrap().unwrap();
        assert_eq!(place.blobs.get(&found.key).await.unwrap(), bytes(7));
        let stated = jobs.statement(&nobody, job).await.unwrap().unwrap();
        assert_eq!(place.blobs.get(&stated.key).await.unwrap(), "{}");
    }
    // Nothing waits for a worker.
    assert_eq!(jobs.stats().await.unwrap().queued, 0);
}

#[tokio::test]
async fn another_request_is_made() {
    let place = Place::new();
    let jobs = place.jobs();
    made(&jobs, submission(Some(7)), of("")).await;
    let other_picture = Submission {
        pictures: vec![picture(5)],
        ..submission(Some(7))
    };
    let mut fewer = submission(Some(7));
    fewer.patch = fewer.patch.with("ss_sampling_steps", 3);
    for other in [other_picture, fewer, submission(Some(8))] {
        assert!(!made(&jobs, other, of("")).await.cached);
    }
    let no_cache = Terms {
        no_cache: true,
        ..of("")
    };
    assert!(!made(&jobs, submission(Some(7)), no_cache).await.cached);
    // A random seed is never asked for twice, whatever comes out of it.
    for _ in 0..3 {
        assert!(!made(&jobs, submission(None), of("")).await.cached);
    }
    assert!(made(&jobs, submission(Some(7)), of("")).await.cached);
}

#[tokio::test]
async fn another_maker_makes_it_again_and_an_unknown_one_always_does() {
    let place = Place::new();
    made(&place.jobs(), submission(Some(7)), of("")).await;
    let with = |made_by| jobs(place.store.clone(), place.blobs.clone(), made_by);
    assert!(
        !made(&with("relief of tomorrow"), submission(Some(7)), of(""))
            .await
            .cached
    );
    assert!(
        made(&with("relief of tomorrow"), submission(Some(7)), of(""))
            .await
            .cached
    );
    for _ in 0..2 {
        assert!(!made(&with(""), submission(Some(7)), of("")).await.cached);
    }
}

#[tokio::test]
async fn a_result_is_its_owner_s_own() {
    let place = Place::new();
    let jobs = place.jobs();
    for owner in ["", "ada", "bob"] {
        assert!(
            !made(&jobs, submission(Some(7)), of(owner)).await.cached,
            "{owner}"
        );
    }
    for owner in ["", "ada", "bob"] {
        assert!(
            made(&jobs, submission(Some(7)), of(owner)).await.cached,
            "{owner}"
        );
    }
}

#[tokio::test]
async fn a_result_of_a_random_seed_is_there_for_who_asks_for_that_seed() {
    let place = Place::new();
    let jobs = place.jobs();
    let first = made(&jobs, submission(None), of("")).await;
    assert!(
        made(&jobs, submission(Some(first.params.seed)), of(""))
            .await
            .cached
    );
}

#[tokio::test]
async fn an_idempotency_key_goes_before_an_earlier_result() {
    let place = Place::new();
    let jobs = place.jobs();
    let with_key = |key: &str| Terms {
        idempotency_key: Some(key.to_owned()),
        ..Terms::default()
    };
    let first = made(&jobs, submission(Some(7)), with_key("one")).await;
    let replayed = submit(&jobs, submission(Some(7)), with_key("one")).await.unwrap();
    assert!(replayed.replayed && replayed.job.id == first.id);
    let other = submit(&jobs, submission(Some(7)), with_key("two")).await.unwrap();
    assert!(!other.replayed && other.job.cached);
    let again = submit(&jobs, submission(Some(7)), with_key("two")).await.unwrap();
    assert_eq!(again.job.id, other.job.id);
}

#[tokio::test]
async fn a_full_queue_takes_what_is_done_already() {
    let place = Place::new();
    let jobs = place.jobs();
    made(&jobs, submission(Some(7)), of("")).await;
    for _ in 0..5 {
        submit(&jobs, submission(None), of("")).await.unwrap();
    }
    submit(&jobs, submission(None), of("")).await.unwrap_err();
    assert!(
        submit(&jobs, submission(Some(7)), of(""))
            .await
            .unwrap()
            .job
            .cached
    );
}

fn file_of(place: &Place, job: &Job) -> PathBuf {
    let key = BlobKey::artifact(job.id, job.attempt, "model.glb");
    place.folder.path().join("blobs").join(key.as_str())
}

#[tokio::test]
async fn a_missing_or_damaged_file_makes_a_miss_and_no_error() {
    for damage in [
        |path: &PathBuf| std::fs::remove_file(path),
        |path: &PathBuf| std::fs::write(path, [0].repeat(100)),
    ] {
        let place = Place::new();
        let jobs = place.jobs();
        let first = made(&jobs, submission(Some(7)), of("")).await;
        damage(&file_of(&place, &first)).unwrap();
        let second = made(&jobs, submission(Some(7)), of("")).await;
        assert!(!second.cached);
        assert_eq!(second.artifacts, first.artifacts);
        let file = place
            .blobs
            .get(&BlobKey::artifact(second.id, 1, "model.glb"))
            .await;
        assert_eq!(file.unwrap(), bytes(7));
        // The newest goes first.
        assert!(made(&jobs, submission(Some(7)), of("")).await.cached);
    }
}

#[tokio::test]
async fn an_earlier_whole_result_stands_in_for_a_damaged_one() {
    let place = Place::new();
    let jobs = place.jobs();
    made(&jobs, submission(Some(7)), of("")).await;
    let no_cache = Terms {
        no_cache: true,
        ..of("")
    };
    let newest = made(&jobs, submission(Some(7)), no_cache).await;
    std::fs::remove_file(file_of(&place, &newest)).unwrap();
    let third = made(&jobs, submission(Some(7)), of("")).await;
    assert!(third.cached);
    assert_eq!(std::fs::read(file_of(&place, &third)).unwrap(), bytes(7));
}
