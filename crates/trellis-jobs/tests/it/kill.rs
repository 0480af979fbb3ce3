//! `kill -9` in the middle of the work.

#![expect(clippy::print_stdout, reason = "the child speaks to its parent so")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::Duration;

use trellis_core::{JobId, JobState, Sha256};
use trellis_jobs::{BlobKey, BlobStore, JobStore, Jobs, SqliteStore, Terms};

use crate::child::child;
use crate::kit::{Place, Submission, at, every_choice, outcome, picture, submit, worker};

/// Says the id of each job once it is accepted, several at a time, and works on some.
pub(crate) async fn submit_for_ever(jobs: Jobs) {
    for n in 0..4 {
        let jobs = jobs.clone();
        tokio::spawn(async move {
            loop {
                let submission = Submission {
                    pictures: vec![picture(3 + n)],
                    ..Submission::default()
                };
                println!(
                    "accepted {}",
                    submit(&jobs, submission, Terms::default()).await.unwrap().job.id
                );
            }
        });
    }
    loop {
        let lease = Duration::from_secs(60);
        if let Some(claim) = jobs
            .store
            .claim(&worker("child"), &every_choice(), at(0), lease)
            .await
            .unwrap()
        {
            let key = BlobKey::artifact(claim.lease.job, claim.lease.attempt, "model.glb");
            jobs.blobs.put(&key, picture(20)).await.unwrap();
            jobs.store
                .succeed(&claim.lease, at(1), outcome(&claim))
                .await
                .unwrap();
            println!("succeeded {}", claim.lease.job);
        }
    }
}

/// Reads what a child says until it has said `lines` of it, then kills it and reads the rest.
fn killed_after(mut child: Child, lines: usize) -> Vec<(String, JobId)> {
    let mut said = Vec::new();
    for (count, line) in BufReader::new(child.stdout.take().unwrap()).lines().enumerate() {
        if count == lines {
            child.kill().unwrap();
        }
        // The last line may be cut short, and the test harness of the child says things of its own.
        if let Some((word @ ("accepted" | "succeeded"), id)) = line.unwrap().split_once(' ')
            && let Ok(id) = id.parse()
        {
            said.push((word.to_owned(), id));
        }
    }
    child.wait().unwrap();
    said
}

#[tokio::test]
async fn a_killed_process_loses_nothing_that_it_accepted() {
    let place = Place::new();
    let folder = place.folder.path();
    let mut said = Vec::new();
    for round in 0..8 {
        let child = child("submit", folder).stdout(Stdio::piped()).spawn().unwrap();
        said.extend(killed_after(child, 10 + round * 7));
        // The next process takes back what this one held.
        place
            .store
            .recover(at(2), 1_000, Some(&worker("child")))
            .await
            .unwrap();
    }
    assert!(said.len() > 100, "{} jobs are too few to tell", said.len());
    for (word, id) in said {
        let job = place.store.get(id).await.unwrap();
        let bytes = place.blobs.get(&BlobKey::input(id, 0)).await.unwrap();
        assert_eq!(Sha256::of(&bytes), job.inputs[0].sha256);
        assert!(
            word == "accepted" || job.state == JobState::Succeeded,
            "{id} was {word}, is {}",
            job.state
        );
        if job.state == JobState::Succeeded {
            let file = &place.store.find(id).await.unwrap().artifacts[0];
            assert_eq!(place.blobs.get(file).await.unwrap(), picture(20));
        }
    }
    assert_eq!(place.store.stats().await.unwrap().running, 0);
    drop(SqliteStore::open(&folder.join("jobs.db")).unwrap());
}
