//! Exports of earlier jobs: which are accepted, and what they keep.

use bytes::Bytes;
use trellis_core::{
    AssetName, BackendChoice, Format, JobId, JobState, Model, ModelParams, Params, ParamsPatch, Priority,
    Sha256,
};
use trellis_jobs::{
    BlobKey, BlobStore as _, ExportError, ExportOf, JobLimits, JobStore as _, Jobs, Latents, Outcome, Owner,
    Retention, StoreError, SubmitError, Terms, clear_leftovers,
};

use crate::janitor::{janitor, moment};
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
        formats: vec![format],
        params: ParamsPatch::default(),
        priority: Priority::Normal,
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

const SAMPLED: &[u8] = b"coordinates and features";

/// Ends the oldest job with a file of that format and what was sampled for it.
async fn sampled(place: &Place, format: Format, decoder: Sha256) -> BlobKey {
    let held = claim(&place.store, "a", 1).await.unwrap();
    let mut result: Outcome = outcome(&held);
    result.artifacts[0].artifact.format = format;
    let latents = Latents {
        size_bytes: SAMPLED.len() as u64,
        sha256: Sha256::of(SAMPLED),
        decoder,
        key: BlobKey::latents(held.lease.job, held.lease.attempt),
    };
    let key = latents.key.clone();
    place.blobs.put(&key, Bytes::from_static(SAMPLED)).await.unwrap();
    result.latents = Some(latents);
    place.store.succeed(&held.lease, at(2), result).await.unwrap();
    key
}

fn decoder() -> Sha256 {
    Sha256::of("this kit's decoder")
}

#[tokio::test]
async fn what_was_sampled_is_exported_with_the_earlier_jobs_parameters_but_for_those_given() {
    let place = Place::new();
    let jobs = place.jobs();
    let submission = Submission {
        pictures: vec![picture(4)],
        patch: ParamsPatch::default()
            .with("seed", 7)
            .with("mesh_simplify", 0.5)
            .with("quality", "draft"),
        ..Submission::default()
    };
    let earlier = submit(&jobs, submission, of("ada")).await.unwrap().job;
    let key = sampled(&place, Format::Glb, decoder()).await;
    let shown = jobs.get(&Owner::named("ada"), earlier.id).await.unwrap();
    assert_eq!(shown.latents.unwrap().size_bytes, SAMPLED.len() as u64);
    let asked = || ExportOf {
        job: earlier.id,
        formats: vec![Format::Glb, Format::GaussianPly],
        params: ParamsPatch::default().with("texture_size", 2048),
        priority: Priority::Normal,
    };
    let new = jobs.export(asked(), of("ada")).await.unwrap().job;
    assert_eq!(new.backend, BackendChoice::Trellis);
    let mut expected = Params {
        formats: asked().formats,
        ..earlier.params
    };
    let ModelParams::TrellisImageLarge(own) = &mut expected.model else {
        panic!("another model")
    };
    own.texture_size = 2048;
    assert_eq!(new.params, expected);
    let source = new.source.unwrap();
    assert_eq!((source.job, source.sha256), (earlier.id, Sha256::of(SAMPLED)));
    assert_eq!(source.decoder, Some(decoder()));
    let copy = place.blobs.get(&BlobKey::source_latents(new.id)).await;
    assert_eq!(copy.unwrap(), SAMPLED);

    // The copy is the new job's own, and goes with it.
    jobs.cancel_or_delete(&Owner::named("ada"), earlier.id)
        .await
        .unwrap();
    assert!(place.blobs.get(&key).await.is_err(), "deleted with the job");
    assert!(place.blobs.get(&BlobKey::source_latents(new.id)).await.is_ok());
    jobs.cancel(&Owner::named("ada"), new.id).await.unwrap();
    assert_eq!(
        clear_leftovers(&place.store, &place.blobs, new.id).await.unwrap(),
        1
    );
}

/// A job for TRELLIS.2 that has made a GLB, and what was sampled for it.
async fn by_trellis_2(place: &Place, jobs: &Jobs, texture: bool) -> JobId {
    let submission = Submission {
        pictures: vec![picture(4)],
        patch: ParamsPatch::default()
            .or_model(Model::Trellis2)
            .with("texture", texture),
        ..Submission::default()
    };
    let earlier = submit(jobs, submission, of("ada")).await.unwrap().job.id;
    sampled(place, Format::Glb, decoder()).await;
    earlier
}

#[tokio::test]
async fn what_trellis_2_sampled_is_exported_with_settings_of_its_own() {
    let place = Place::new();
    let jobs = place.jobs();
    let earlier = by_trellis_2(&place, &jobs, true).await;
    let exported = async |params| {
        let wish = ExportOf {
            job: earlier,
            formats: Vec::new(),
            params,
            priority: Priority::Normal,
        };
        jobs.export(wish, of("ada")).await.map(|new| new.job)
    };
    let other = ParamsPatch::default()
        .with("decimation_target", 100_000)
        .with("remesh", false)
        .with("texture_size", 4096);
    let new = exported(other).await.unwrap();
    assert_eq!(new.backend, BackendChoice::Trellis);
    assert_eq!(new.source.unwrap().decoder, Some(decoder()));
    let ModelParams::Trellis2(own) = &new.params.model else {
        panic!("another model")
    };
    assert_eq!(
        (own.decimation_target, own.remesh, own.texture_size),
        (100_000, false, 4096)
    );
    let of_the_other_model = ParamsPatch::default().with("mesh_simplify", 0.5);
    let refused = exported(of_the_other_model).await.unwrap_err();
    assert_eq!(refused.kind(), "invalid_parameter");
}

#[tokio::test]
async fn colours_that_trellis_2_did_not_sample_are_refused() {
    let place = Place::new();
    let jobs = place.jobs();
    let earlier = by_trellis_2(&place, &jobs, false).await;
    let exported = async |formats: &[Format], params| {
        let wish = ExportOf {
            job: earlier,
            formats: formats.to_vec(),
            params,
            priority: Priority::Normal,
        };
        jobs.export(wish, of("ada")).await
    };
    let textured = ParamsPatch::default().with("texture", true);
    for (formats, params) in [
        (&[Format::Glb][..], textured),
        (&[Format::Glb, Format::Ply], ParamsPatch::default()),
    ] {
        let refused = exported(formats, params).await.map(|new| new.job).unwrap_err();
        assert_eq!(refused.kind(), "no_colours");
    }
    let fewer = ParamsPatch::default().with("decimation_target", 100_000);
    assert!(exported(&[Format::Glb], fewer).await.is_ok());
    assert_eq!(place.blobs.jobs().await.unwrap().len(), 2, "nothing is left");
}

#[tokio::test]
async fn a_job_without_a_glb_is_decoded_where_it_can_be() {
    let place = Place::new();
    let jobs = place.jobs();
    let submission = Submission {
        pictures: vec![picture(4)],
        patch: ParamsPatch::default().with("formats", vec![Format::GaussianPly]),
        ..Submission::default()
    };
    let earlier = submit(&jobs, submission, of("ada")).await.unwrap().job;
    sampled(&place, Format::GaussianPly, decoder()).await;
    let new = jobs.export(asked(earlier.id, Format::Obj), of("ada")).await;
    let new = new.unwrap().job;
    assert_eq!(new.backend, BackendChoice::Trellis);
    assert_eq!(new.params.formats, [Format::Obj]);
    assert_eq!(new.source.unwrap().decoder, Some(decoder()));
}

#[tokio::test]
async fn what_cannot_be_decoded_again_is_refused_with_the_reason() {
    let place = Place::new();
    let jobs = place.jobs();
    let kind = async |job| {
        let asked = ExportOf {
            job,
            formats: Vec::new(),
            params: ParamsPatch::default().with("mesh_simplify", 0.5),
            priority: Priority::Normal,
        };
        jobs.export(asked, of("ada"))
            .await
            .map(|new| new.job)
            .unwrap_err()
            .kind()
    };
    let without = submitted(&jobs).await;
    assert_eq!(kind(without).await, "job_not_succeeded");
    succeeded(&place, Format::Glb).await;
    assert_eq!(kind(without).await, "no_latents");
    let foreign = submitted(&jobs).await;
    sampled(&place, Format::Glb, Sha256::of("another model")).await;
    assert_eq!(kind(foreign).await, "other_decoder");
    let good = submitted(&jobs).await;
    let key = sampled(&place, Format::Glb, decoder()).await;
    let path = place.folder.path().join("blobs").join(key.as_str());
    std::fs::write(&path, b"coordinates and FEATURES").unwrap();
    assert_eq!(kind(good).await, "no_latents", "they are damaged");
    std::fs::remove_file(&path).unwrap();
    assert_eq!(kind(good).await, "no_latents", "the janitor took them");
    assert_eq!(place.blobs.jobs().await.unwrap().len(), 3, "nothing is left");
}

#[tokio::test]
async fn what_was_sampled_counts_for_its_owner_and_is_kept_for_a_while() {
    let place = Place::new();
    let jobs = place.jobs();
    let mut keys = Vec::new();
    for _ in 0..3 {
        submitted(&jobs).await;
        keys.push(sampled(&place, Format::Glb, decoder()).await);
    }
    let kept = place.store.with_latents().await.unwrap();
    let there: Vec<BlobKey> = kept.into_iter().map(|kept| kept.latents.key).collect();
    keys.reverse();
    assert_eq!(there, keys, "the newest first");
    let most = SAMPLED.len() as u64;
    let swept = async |retention, now| janitor(&place, retention).sweep(&now).await.unwrap().latents;
    let two = Retention {
        latent_bytes: 2 * most,
        ..Retention::default()
    };
    assert_eq!(swept(two, moment(3)).await, 1);
    assert!(place.blobs.get(&keys[2]).await.is_err());
    assert!(place.blobs.get(&keys[1]).await.is_ok());
    let hour = Retention {
        latent_hours: Some(1),
        ..two
    };
    assert_eq!(swept(hour, moment(2 + 3599)).await, 0);
    assert_eq!(swept(hour, moment(2 + 3600)).await, 2);
    assert_eq!(place.store.with_latents().await.unwrap(), []);
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
