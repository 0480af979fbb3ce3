//! What is said of a result, and that later jobs find it.

use std::sync::Arc;

use trellis_core::{JobState, Sha256};
use trellis_jobs::conformance::forgetful::Forgetful;
use trellis_provenance::{Statement, glb};

use crate::kit::Place;
use crate::scripted::{GLB, Script, Scripted};

#[tokio::test]
async fn a_result_says_what_made_it_in_itself_in_the_job_and_in_a_statement() {
    let place = Place::new();
    let runner = place.run(place.settings());
    for script in [Script::Bytes, Script::File] {
        let job = place.ended(place.submit(script).await).await;
        let record = job.provenance.unwrap();
        assert_eq!(record.params, job.params);
        assert_eq!(record.inputs, [job.inputs[0].sha256]);
        assert_eq!(record.name, job.inputs[0].name);
        assert_eq!(record.name.as_ref().unwrap().as_str(), "chair");
        assert_eq!((record.backend.as_str(), &record.python_env), ("relief", &None));
        let file = place.artifact(job.id, "model.glb").await.unwrap();
        let bytes = place.blobs.get(&file.key).await.unwrap();
        assert_eq!(glb::read(&mut bytes.as_ref()).unwrap(), record);
        assert!(
            bytes.ends_with(&GLB[GLB.len() - 36..]),
            "the buffer stays as it was"
        );

        let stated = place.statement(job.id).await.unwrap();
        assert_eq!(job.statement.as_ref(), Some(&stated.file));
        assert_eq!(stated.file.name, "model.intoto.json");
        let text = place.blobs.get(&stated.key).await.unwrap();
        assert_eq!(Sha256::of(&text), stated.file.sha256);
        let statement: Statement = serde_json::from_slice(&text).unwrap();
        assert!(statement.agrees_with(&record));
        assert!(statement.is_about(job.artifacts[0].sha256));
    }
    runner.stop().await;
}

#[tokio::test]
async fn a_statement_is_made_only_where_it_is_asked_for() {
    let mut place = Place::new();
    place.states = false;
    let runner = place.run(place.settings());
    let job = place.ended(place.submit(Script::Bytes).await).await;
    assert_eq!(job.state, JobState::Succeeded);
    assert_eq!(job.statement, None);
    assert!(place.statement(job.id).await.is_none());
    assert!(job.provenance.is_some(), "the record is there all the same");
    runner.stop().await;
    // The earlier result has none, so it is no answer where one is asked for.
    place.states = true;
    let runner = place.run(place.settings());
    let job = place.ended(place.submit_again(Script::Bytes).await).await;
    assert!(!job.cached && job.statement.is_some());
    runner.stop().await;
}

/// Another encoder gives another result, so the lock must say which it was.
#[tokio::test]
async fn a_textured_mesh_is_given_again_where_the_lock_has_what_encodes_it() {
    const TETRAHEDRON: &[u8] = b"v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 2 3 4\nf 1 4 3\n";
    const TRIANGLE: &[u8] = b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 3 2\n";
    let mut place = Place::new();
    place.backends = vec![Scripted::texturing()];
    // In the end the lock no longer has it: what was kept before is no answer.
    for locked in [false, true, false] {
        place.locks_shape_encoder = locked;
        let runner = place.run(place.settings());
        let first = place
            .ended(place.submit_mesh(Script::Bytes, TETRAHEDRON).await)
            .await;
        assert_eq!((first.state, first.cached), (JobState::Succeeded, false));
        let second = place
            .ended(place.submit_mesh(Script::Bytes, TETRAHEDRON).await)
            .await;
        assert_eq!((second.state, second.cached), (JobState::Succeeded, locked));
        let other = place
            .ended(place.submit_mesh(Script::Bytes, TRIANGLE).await)
            .await;
        assert!(!other.cached, "another mesh");
        runner.stop().await;
    }
}

#[tokio::test]
async fn the_same_job_gives_the_same_bytes_and_is_done_at_once() {
    let place = Place::new();
    let runner = place.run(place.settings());
    let first = place.ended(place.submit(Script::Bytes).await).await;
    let second = place.ended(place.submit_again(Script::Bytes).await).await;
    assert_eq!(
        (second.state, second.cached, second.attempt),
        (JobState::Succeeded, true, 0)
    );
    assert_eq!(second.artifacts, first.artifacts);
    assert_eq!(second.provenance, first.provenance);
    let third = place.ended(place.submit(Script::Bytes).await).await;
    assert!(!third.cached);
    assert_eq!(third.artifacts, first.artifacts);
    runner.stop().await;
}

#[tokio::test]
async fn a_glb_that_cannot_be_read_fails_the_job() {
    let place = Place::new();
    let runner = place.run(place.settings());
    let job = place.ended(place.submit(Script::Broken).await).await;
    assert_eq!(job.state, JobState::Failed);
    assert_eq!(
        job.failure.unwrap().message,
        "`model.glb` cannot be read: this is not a GLB (version 2)"
    );
    assert!(job.artifacts.is_empty() && job.statement.is_none());
    assert!(place.artifact(job.id, "model.glb").await.is_none());
    runner.stop().await;
}

/// The store writes that the job has succeeded, and its answer is lost: once, and each time that it is asked.
#[tokio::test]
async fn a_result_stays_where_nobody_knows_whether_it_was_recorded() {
    for lost in [1, 100] {
        let place = Place::new();
        let store = Forgetful::new(Arc::new(place.store.clone()), lost);
        let runner = place.run_on(Arc::new(store), place.settings());
        let id = place.submit(Script::Bytes).await;
        assert_eq!(place.ended(id).await.state, JobState::Succeeded);
        runner.stop().await;
        assert_eq!(place.scratch(), 0, "the attempt has ended");
        let file = place.artifact(id, "model.glb").await.unwrap();
        let bytes = place.blobs.get(&file.key).await.unwrap();
        assert_eq!(Sha256::of(&bytes), file.artifact.sha256);
        let stated = place.statement(id).await.unwrap();
        assert!(place.blobs.get(&stated.key).await.is_ok());
    }
}
