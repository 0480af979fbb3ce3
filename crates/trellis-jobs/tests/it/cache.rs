//! Kept results: when one is taken, when not, and that none is ever half there.

#![expect(clippy::print_stdout, reason = "the child speaks to its parent so")]

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::Arc;

use bytes::Bytes;
use trellis_core::{Artifact, EventKind, Format, Job, JobId, JobState, ParamsPatch, Sha256, StatementFile};
use trellis_jobs::{
    BlobKey, BlobStore, CacheKey, Delivered, DeliveredStatement, Intake, JobStore, Outcome, ResultCache,
    Submission, Submitted,
};

use crate::child::child;
use crate::kit::{Place, at, every_choice, new_job, picture, worker};

/// Bytes of a result's one file.
const LENGTH: usize = 100;
const SIZE: u64 = LENGTH as u64;

/// The bytes of a result; each seed has its own.
fn bytes(seed: u32) -> Bytes {
    Bytes::from([u8::try_from(seed % 251).unwrap()].repeat(LENGTH))
}

fn submission(seed: Option<u32>) -> Submission {
    Submission {
        pictures: vec![picture(4)],
        patch: seed.map_or_else(ParamsPatch::default, |seed| {
            ParamsPatch::default().with("seed", seed)
        }),
        made_by: Some("relief of today".to_owned()),
        ..Submission::default()
    }
}

/// A server that keeps `max_bytes` of results.
struct Shop {
    place: Place,
    intake: Intake,
    cache: ResultCache,
}

impl Shop {
    fn new(max_bytes: u64) -> Self {
        let place = Place::new();
        let cache = place.cache(max_bytes);
        let mut intake = place.intake();
        intake.cache = Some(cache.clone());
        Self { place, intake, cache }
    }

    async fn submit(&self, submission: Submission) -> Submitted {
        self.intake.submit(submission).await.unwrap()
    }

    /// Has a job made and its result kept. `false`: it was done already.
    async fn made(&self, submission: Submission) -> (Job, bool) {
        let job = self.submit(submission).await.job;
        if job.state.is_final() {
            return (job, false);
        }
        let lease = std::time::Duration::from_secs(30);
        let claimed = self
            .place
            .store
            .claim(&worker("a"), &every_choice(), at(0), lease)
            .await;
        let claim = claimed.unwrap().unwrap();
        assert_eq!(claim.lease.job, job.id);
        let outcome = put_outcome(&self.intake, job.id, 1, job.params.seed).await;
        let done = self
            .place
            .store
            .succeed(&claim.lease, at(1), outcome.clone())
            .await
            .unwrap();
        self.cache
            .keep(&key(&done), &outcome, done.created_at)
            .await
            .unwrap();
        (done, true)
    }

    async fn is_kept(&self, seed: u32) -> bool {
        let job = self.submit(submission(Some(seed))).await.job;
        if !job.state.is_final() {
            self.place.store.cancel(job.id, at(9)).await.unwrap();
        }
        job.cached
    }

    /// Files in the folder of kept results.
    fn kept_files(&self) -> usize {
        let folder = self.place.folder.path().join("blobs/cache");
        std::fs::read_dir(folder).map_or(0, Iterator::count)
    }
}

fn key(job: &Job) -> CacheKey {
    let inputs: Vec<_> = job.inputs.iter().map(|input| input.sha256).collect();
    CacheKey::new(&inputs, None, &job.params, "relief of today")
}

async fn put_outcome(intake: &Intake, job: JobId, attempt: u32, seed: u32) -> Outcome {
    let model = BlobKey::artifact(job, attempt, "model.glb");
    let statement = BlobKey::statement(job, attempt, "model.intoto.json");
    intake.blobs.put(&model, bytes(seed)).await.unwrap();
    intake
        .blobs
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
                size_bytes: SIZE,
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
                sha256: Sha256::of(b"{}"),
                signed_by: None,
            },
            key: statement,
        }),
    }
}

#[tokio::test]
async fn the_same_request_is_done_at_once_with_the_same_files() {
    let shop = Shop::new(1 << 20);
    let (first, made) = shop.made(submission(Some(7))).await;
    assert!(made && !first.cached);
    let second = shop.submit(submission(Some(7))).await.job;
    assert_eq!((second.state, second.cached), (JobState::Succeeded, true));
    assert_eq!(second.attempt, 0);
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
    let passed: Vec<JobState> = second.history.iter().map(|entry| entry.state).collect();
    assert_eq!(passed, [JobState::Queued, JobState::Succeeded]);
    // Forgotten or not, the first is not needed for it.
    shop.place.store.delete(first.id).await.unwrap();
    shop.place.blobs.delete_job(first.id).await.unwrap();
    let third = shop.submit(submission(Some(7))).await.job;
    for job in [second.id, third.id] {
        let found = shop
            .place
            .store
            .artifact_key(job, "model.glb")
            .await
            .unwrap()
            .unwrap();
        assert_eq!(shop.place.blobs.get(&found.key).await.unwrap(), bytes(7));
        let stated = shop.place.store.statement_key(job).await.unwrap().unwrap();
        assert_eq!(shop.place.blobs.get(&stated.key).await.unwrap(), "{}");
    }
    // Nothing waits for a worker.
    assert_eq!(shop.place.store.stats().await.unwrap().queued, 0);
}

#[tokio::test]
async fn its_events_end_as_those_of_any_job() {
    let shop = Shop::new(1 << 20);
    shop.made(submission(Some(7))).await;
    let job = shop.submit(submission(Some(7))).await.job;
    let events = shop.place.store.events(job.id, 0, 100).await.unwrap();
    let kinds: Vec<String> = events
        .iter()
        .map(|event| match &event.kind {
            EventKind::State { state, attempt, .. } => format!("{state} {attempt}"),
            EventKind::Artifact { name, .. } => name.clone(),
            EventKind::Progress(_) => "progress".to_owned(),
        })
        .collect();
    assert_eq!(kinds, ["queued 0", "model.glb", "succeeded 0"]);
}

#[tokio::test]
async fn another_request_is_made() {
    let shop = Shop::new(1 << 20);
    shop.made(submission(Some(7))).await;
    let is_made = async |other: Submission| {
        let (_, made) = shop.made(other).await;
        made
    };
    let other_picture = Submission {
        pictures: vec![picture(5)],
        ..submission(Some(7))
    };
    let other_program = Submission {
        made_by: Some("relief of tomorrow".to_owned()),
        ..submission(Some(7))
    };
    let anew = Submission {
        made_by: None,
        ..submission(Some(7))
    };
    let mut fewer = submission(Some(7));
    fewer.patch = fewer.patch.with("ss_sampling_steps", 3);
    for other in [other_picture, other_program, anew, fewer, submission(Some(8))] {
        assert!(is_made(other).await);
    }
    // A random seed is never asked for twice, whatever comes out of it.
    for _ in 0..3 {
        assert!(is_made(submission(None)).await);
    }
    assert!(!is_made(submission(Some(7))).await);
}

#[tokio::test]
async fn a_result_of_a_random_seed_is_there_for_who_asks_for_that_seed() {
    let shop = Shop::new(1 << 20);
    let (first, _) = shop.made(submission(None)).await;
    assert!(shop.is_kept(first.params.seed).await);
}

#[tokio::test]
async fn a_result_made_anew_takes_the_place_of_the_earlier_one() {
    let shop = Shop::new(1 << 20);
    for _ in 0..3 {
        let anew = Submission {
            made_by: None,
            ..submission(Some(7))
        };
        assert!(shop.made(anew).await.1);
    }
    assert_eq!(shop.kept_files(), 2);
    assert!(shop.is_kept(7).await);
}

#[tokio::test]
async fn an_idempotency_key_goes_before_a_kept_result() {
    let shop = Shop::new(1 << 20);
    let with_key = |key: &str| Submission {
        idempotency: Some((key.to_owned(), "d".to_owned())),
        ..submission(Some(7))
    };
    let (first, _) = shop.made(with_key("one")).await;
    let replayed = shop.submit(with_key("one")).await;
    assert!(replayed.replayed && replayed.job.id == first.id);
    let other = shop.submit(with_key("two")).await;
    assert!(!other.replayed && other.job.cached);
    assert_eq!(shop.submit(with_key("two")).await.job.id, other.job.id);
}

#[tokio::test]
async fn a_full_queue_takes_what_is_done_already() {
    let shop = Shop::new(1 << 20);
    shop.made(submission(Some(7))).await;
    for _ in 0..5 {
        shop.submit(submission(None)).await;
    }
    shop.intake.submit(submission(None)).await.unwrap_err();
    assert!(shop.submit(submission(Some(7))).await.job.cached);
}

#[tokio::test]
async fn the_least_recently_used_goes_first() {
    // Room for three results with their statements.
    let shop = Shop::new(3 * (SIZE + 2));
    for seed in 1..=3 {
        shop.made(submission(Some(seed))).await;
    }
    assert!(shop.is_kept(1).await);
    shop.made(submission(Some(4))).await;
    assert_eq!(shop.kept_files(), 6);
    assert!(!shop.is_kept(2).await);
    for seed in [1, 3, 4] {
        assert!(shop.is_kept(seed).await, "{seed}");
    }
    // Less room after a restart.
    let smaller = ResultCache {
        max_bytes: SIZE + 2,
        ..shop.cache.clone()
    };
    assert_eq!(smaller.sweep(at(0)).await.unwrap(), 2);
    assert_eq!(shop.kept_files(), 2);
    assert!(shop.is_kept(4).await && !shop.is_kept(1).await);
}

#[tokio::test]
async fn what_is_larger_than_everything_is_not_kept() {
    let shop = Shop::new(SIZE);
    shop.made(submission(Some(7))).await;
    assert_eq!(shop.kept_files(), 0);
    assert!(!shop.is_kept(7).await);
}

#[tokio::test]
async fn a_missing_or_damaged_file_makes_a_miss_and_no_error() {
    for damage in [
        |path: &std::path::Path| std::fs::remove_file(path),
        |path: &std::path::Path| {
            // Another file in its place, so that the job's own link stays good.
            std::fs::remove_file(path)?;
            std::fs::write(path, [0].repeat(LENGTH))
        },
    ] {
        let shop = Shop::new(1 << 20);
        let (first, _) = shop.made(submission(Some(7))).await;
        let folder = shop.place.folder.path().join("blobs/cache");
        let file = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.to_string_lossy().ends_with("model.glb"))
            .unwrap();
        damage(&file).unwrap();
        let (second, made) = shop.made(submission(Some(7))).await;
        assert!(made && !second.cached);
        assert_eq!(second.artifacts, first.artifacts);
        // Kept anew, and nothing of the damaged one is left.
        assert_eq!(shop.kept_files(), 2);
        assert!(shop.is_kept(7).await);
    }
}

/// Keeps results, several at a time in little room, and says which.
pub(crate) async fn keep_for_ever(intake: &Intake) {
    let store = trellis_jobs::SqliteStore::open(&folder_of_child().join("jobs.db")).unwrap();
    let cache = ResultCache {
        index: Arc::new(store),
        blobs: intake.blobs.clone(),
        max_bytes: 5 * (SIZE + 2),
    };
    for seed in 0.. {
        let mut job = intake.store.submit(new_job(seed)).await.unwrap().job;
        job.params.seed = seed % 9;
        let outcome = put_outcome(intake, job.id, 1, seed % 9).await;
        cache.keep(&key(&job), &outcome, job.created_at).await.unwrap();
        println!("kept {seed}");
    }
}

fn folder_of_child() -> std::path::PathBuf {
    std::env::var_os("TRELLIS_TEST_FOLDER")
        .expect("a child has one")
        .into()
}

#[tokio::test]
async fn a_killed_process_leaves_whole_results_or_none() {
    for round in 0..6 {
        let shop = Shop::new(1 << 20);
        let folder = shop.place.folder.path();
        let mut child = child("keep", folder).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let kept = lines
            .map_while(Result::ok)
            .filter(|line| line.starts_with("kept "))
            .nth(5 + round * 3);
        assert!(kept.is_some(), "the child ended by itself");
        child.kill().unwrap();
        child.wait().unwrap();
        // Long after, when nobody can be at it any more.
        shop.cache.sweep(at(10_000_000)).await.unwrap();
        let mut whole = 0;
        for seed in 0..9 {
            let mut job = new_job(seed);
            job.params.seed = seed;
            let mut asked = Vec::new();
            asked.extend(job.inputs.iter().map(|(input, _)| input.sha256));
            let key = CacheKey::new(&asked, None, &job.params, "relief of today");
            let found = shop.cache.recall(&key, job.id, job.now).await;
            whole += usize::from(found.is_some());
        }
        assert!((4..=5).contains(&whole), "{whole} are there");
        let unfinished = |name: &str| name.contains('#');
        let names = std::fs::read_dir(folder.join("blobs/cache")).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        assert_eq!(names.filter(|name| !unfinished(name)).count(), 2 * whole);
    }
}
