//! Exports of earlier jobs: which are accepted, and what they keep.

use bytes::Bytes;
use trellis_core::{AssetName, Format, JobId, JobState, ParamsPatch, Sha256};
use trellis_jobs::{
    BlobKey, BlobStore as _, ExportError, ExportOf, JobLimits, JobStore as _, Jobs, Outcome, Owner,
    StoreError, SubmitError, Terms, clear_leftovers,
};

use crate::kit::{Place, Submission, at, claim, outcome, picture, submit};

const GLB: &[u8] = b"glTF and more";

fn of(owner: &str) -> Terms {
    Terms {
        owner: Owner::named(owner),
        ..Terms::default()
    }
}

fn asked(job: JobId, format: Format) -> ExportOf {
    ExportOf {
        job,
        format,
        params: ParamsPatch::default(),
    }
}

/// A job of ada's, on its way.
async fn submitted(jobs: &Jobs) -> JobId {
    let submission = Submission {
        pictures: vec![picture(4)],
        name: AssetName::of_file("chair.png"),
        ..Submission::default()
    };
    submit(jobs, submission, of("ada")).await.unwrap().job.id
}

/// Ends the oldest job with a GLB, or with a file of another format.
async fn succeeded(place: &Place, format: Format) {
    let held = claim(&place.store, "a", 1).await.unwrap();
    let mut result: Outcome = outcome(&held);
    let file = &mut result.artifacts[0];
    file.artifact.format = format;
    (file.artifact.sha256, file.artifact.size_bytes) = (Sha256::of(GLB), GLB.len() as u64);
    place.blobs.put(&file.key, Bytes::from_static(GLB)).await.unwrap();
    place.store.succeed(&held.lease, at(2), result).await.unwrap();
}

#[tokio::test]
async fn an_export_is_a_job_with_copies_of_its_own() {
    let place = Place::new();
    let jobs = place.jobs();
    let earlier = submitted(&jobs).await;
    succeeded(&place, Format::Glb).await;
    let terms = || Terms {
        idempotency_key: Some("k".to_owned()),
        ..of("ada")
    };
    let new = jobs
        .export(asked(earlier, Format::Voxels), terms())
        .await
        .unwrap();
    assert!(!new.replayed);
    assert_eq!(
        (new.job.state, new.job.params.formats),
        (JobState::Queued, vec![Format::Voxels])
    );
    let id = new.job.id;
    let stored = place.store.find(id).await.unwrap();
    assert_eq!(stored.owner, Owner::named("ada"));
    assert_eq!(place.blobs.get(&BlobKey::source(id)).await.unwrap(), GLB);
    assert_eq!(place.blobs.get(&stored.inputs[0]).await.unwrap(), picture(4));
    let again = jobs
        .export(asked(earlier, Format::Voxels), terms())
        .await
        .unwrap();
    assert_eq!((again.replayed, again.job.id), (true, id));
    let other = jobs.export(asked(earlier, Format::Obj), terms()).await;
    assert!(
        matches!(
            &other,
            Err(ExportError::Submit(SubmitError::Store(
                StoreError::KeyReused { .. }
            )))
        ),
        "{other:?}"
    );
    let folders = place.blobs.jobs().await.unwrap();
    assert_eq!(
        folders.len(),
        2,
        "what was not accepted left nothing: {folders:?}"
    );

    // While it waits the copy stays; once it has ended nobody needs it.
    assert_eq!(clear_leftovers(&place.store, &place.blobs, id).await.unwrap(), 0);
    jobs.cancel(&Owner::named("ada"), id).await.unwrap();
    assert_eq!(clear_leftovers(&place.store, &place.blobs, id).await.unwrap(), 1);
    assert!(place.blobs.get(&BlobKey::source(id)).await.is_err());
}

#[tokio::test]
async fn what_cannot_be_exported_is_refused_with_the_reason_and_leaves_nothing() {
    let place = Place::new();
    let jobs = place.jobs();
    let kind = async |job, format, owner: &str| {
        let refused = jobs.export(asked(job, format), of(owner)).await;
        refused.map(|new| new.job).unwrap_err().kind()
    };
    let live = submitted(&jobs).await;
    assert_eq!(kind(live, Format::Voxels, "ada").await, "job_not_succeeded");
    succeeded(&place, Format::Obj).await;
    assert_eq!(kind(live, Format::Voxels, "ada").await, "no_glb");
    let good = submitted(&jobs).await;
    succeeded(&place, Format::Glb).await;
    assert_eq!(kind(good, Format::Voxels, "bob").await, "job_not_found");
    assert_eq!(
        kind(good, Format::Stl, "ada").await,
        "unsupported",
        "this kit's makers make none"
    );
    let out_of_range = ExportOf {
        params: ParamsPatch::default().with("voxel_resolution", 7),
        ..asked(good, Format::Voxels)
    };
    let refused = jobs.export(out_of_range, of("ada")).await.unwrap_err();
    assert_eq!(refused.kind(), "invalid_parameter");
    let full = Jobs {
        limits: JobLimits {
            queue_limit: 0,
            ..jobs.limits
        },
        ..jobs.clone()
    };
    let refused = full
        .export(asked(good, Format::Voxels), of("ada"))
        .await
        .unwrap_err();
    assert_eq!(refused.kind(), "queue_full");
    let stored = place.store.find(good).await.unwrap();
    let path = place
        .folder
        .path()
        .join("blobs")
        .join(stored.artifacts[0].as_str());
    std::fs::write(&path, b"glTF and MORE").unwrap();
    assert_eq!(kind(good, Format::Voxels, "ada").await, "glb_damaged");
    std::fs::remove_file(&path).unwrap();
    assert_eq!(kind(good, Format::Voxels, "ada").await, "blob_not_found");
    assert_eq!(
        place.blobs.jobs().await.unwrap().len(),
        2,
        "the two jobs alone have files"
    );
}
