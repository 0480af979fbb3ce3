//! Other files of an earlier job: from its GLB, and from what was sampled for it.

use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

use image::{ImageFormat, Rgb, RgbImage};
use trellis_backend::{ReliefBackend, ReliefSettings};
use trellis_core::{AssetName, BackendChoice, Format, Job, JobId, JobState, ParamsPatch, Priority, Sha256};
use trellis_jobs::{
    Asked, BlobError, BlobKey, ExportOf, JobLimits, JobStore as _, Jobs, Owner, Removed, Submitted, Terms,
};

use crate::kit::Place;
use crate::scripted::{SAMPLED, Script, Scripted};

/// A place with the real preview, and its job service.
fn place() -> (Place, Jobs) {
    let mut place = Place::new();
    place.states = true;
    place.backends = vec![Arc::new(ReliefBackend::new(ReliefSettings::default()))];
    let jobs = place.jobs();
    let limits = JobLimits {
        max_pixels: 10_000,
        ..jobs.limits
    };
    let jobs = Jobs { limits, ..jobs };
    (place, jobs)
}

/// A dark square on light ground, submitted.
async fn submitted(jobs: &Jobs) -> JobId {
    let picture = RgbImage::from_fn(32, 32, |x, y| {
        let inside = |at: u32| (8..24).contains(&at);
        Rgb([if inside(x) && inside(y) { 40 } else { 240 }; 3])
    });
    let mut png = Cursor::new(Vec::new());
    picture.write_to(&mut png, ImageFormat::Png).unwrap();
    let mut intake = jobs.intake();
    let name = AssetName::of_file("chair.png");
    intake.add(png.into_inner().into(), name).await.unwrap();
    let params = ParamsPatch::default().with("seed", 7);
    let asked = Asked {
        params,
        ..Asked::default()
    };
    jobs.submit(intake, asked, Terms::default()).await.unwrap().job.id
}

async fn export(jobs: &Jobs, job: JobId, format: Format, params: ParamsPatch) -> Submitted {
    jobs.export(
        ExportOf {
            job,
            formats: vec![format],
            params,
            priority: Priority::Normal,
        },
        Terms::default(),
    )
    .await
    .unwrap()
}

/// A file of a job, as bytes.
async fn file(place: &Place, job: &Job) -> Vec<u8> {
    let found = place.artifact(job.id, &job.artifacts[0].name).await.unwrap();
    let bytes = place.blobs.get(&found.key).await.unwrap();
    assert_eq!(Sha256::of(&bytes), found.artifact.sha256);
    bytes.to_vec()
}

#[tokio::test]
async fn each_format_is_made_of_an_earlier_glb_and_says_so() {
    let (place, jobs) = place();
    let runner = place.run(place.settings());
    let earlier = place.ended(submitted(&jobs).await).await;
    let glb = earlier.artifacts[0].sha256;
    for (format, name, begins) in [
        (Format::Voxels, "model.vox", &b"VOX "[..]),
        (Format::Obj, "model.obj.zip", b"PK"),
        (Format::Stl, "model.stl", b"trellis: a preview"),
        (Format::Ply, "model.ply", b"ply\n"),
    ] {
        let new = export(&jobs, earlier.id, format, ParamsPatch::default())
            .await
            .job;
        assert_eq!(
            (new.backend, new.inputs),
            (BackendChoice::Export, earlier.inputs.clone())
        );
        assert_eq!(new.name.unwrap().as_str(), "chair");
        let job = place.ended(new.id).await;
        assert_eq!(job.state, JobState::Succeeded, "{format}: {:?}", job.failure);
        assert_eq!((job.artifacts.len(), job.artifacts[0].name.as_str()), (1, name));
        assert_eq!(job.made_by.as_deref(), Some("export"));
        assert!(job.notes[0].contains("not TRELLIS"), "{:?}", job.notes);
        let source = job.source.clone().unwrap();
        assert_eq!((source.job, source.sha256), (earlier.id, glb));
        assert_eq!(
            (source.artifact.as_str(), source.made_by.as_deref()),
            ("model.glb", Some("relief"))
        );
        let provenance = job.provenance.clone().unwrap();
        assert_eq!(
            (provenance.source, provenance.backend.as_str()),
            (Some(glb), "export")
        );
        let stated = place.statement(job.id).await.unwrap();
        let stated = place.blobs.get(&stated.key).await.unwrap();
        let stated: trellis_provenance::Statement = serde_json::from_slice(&stated).unwrap();
        assert!(stated.agrees_with(&provenance));
        assert!(file(&place, &job).await.starts_with(begins), "{format}");
        // What it was made from is not kept twice. It goes once the job has ended.
        let gone = async {
            while !matches!(
                place.blobs.get(&BlobKey::source(job.id)).await,
                Err(BlobError::NotFound { .. })
            ) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), gone)
            .await
            .expect("it goes");
        let again = export(&jobs, earlier.id, format, ParamsPatch::default())
            .await
            .job;
        assert_eq!((again.state, again.cached), (JobState::Succeeded, true));
        assert_eq!(again.artifacts, job.artifacts);
    }
    let small = ParamsPatch::default().with("stl_size_mm", 20.0);
    let small = export(&jobs, earlier.id, Format::Stl, small).await.job;
    assert!(!small.cached, "another size is another file");
    let stl = file(&place, &place.ended(small.id).await).await;
    let corners = stl[84..].chunks_exact(50).flat_map(|triangle| {
        let numbers = triangle[12..48].chunks_exact(4);
        numbers.map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()))
    });
    let (low, high) = corners.fold((f32::MAX, f32::MIN), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    assert!((high - low - 20.0).abs() < 0.01, "{low} to {high}");
    runner.stop().await;
    assert_eq!(place.scratch(), 0);
}

#[tokio::test]
async fn an_export_outlives_the_job_that_it_is_made_from() {
    let (place, jobs) = place();
    let runner = place.run(place.settings());
    let earlier = place.ended(submitted(&jobs).await).await;
    runner.stop().await;
    let new = export(&jobs, earlier.id, Format::Stl, ParamsPatch::default())
        .await
        .job;
    assert_eq!(new.state, JobState::Queued);
    let gone = jobs
        .cancel_or_delete(&Owner::default(), earlier.id)
        .await
        .unwrap();
    assert_eq!(gone, Removed::Deleted);
    let runner = place.run(place.settings());
    let job = place.ended(new.id).await;
    assert_eq!(job.state, JobState::Succeeded, "{:?}", job.failure);
    assert_eq!(job.source.unwrap().job, earlier.id);
    runner.stop().await;
}

#[tokio::test]
async fn an_export_whose_glb_is_lost_fails_with_the_reason() {
    let (place, jobs) = place();
    let runner = place.run(place.settings());
    let earlier = place.ended(submitted(&jobs).await).await;
    runner.stop().await;
    let new = export(&jobs, earlier.id, Format::Ply, ParamsPatch::default())
        .await
        .job;
    place.blobs.delete(&[BlobKey::source(new.id)]).await.unwrap();
    let runner = place.run(place.settings());
    let job = place.ended(new.id).await;
    assert_eq!(job.failure.unwrap().message, "the GLB of the job is missing");
    assert_eq!(
        place.store.get(earlier.id).await.unwrap().state,
        JobState::Succeeded
    );
    runner.stop().await;
}

/// A place whose backend samples, and a job that it made.
async fn sampled() -> (Place, Job) {
    let mut place = Place::new();
    place.backends = vec![Scripted::new(BackendChoice::Trellis, "trellis", Format::Glb)];
    let runner = place.run(place.settings());
    let earlier = place.ended(place.submit(Script::Bytes).await).await;
    runner.stop().await;
    assert_eq!(earlier.state, JobState::Succeeded, "{:?}", earlier.failure);
    assert_eq!(earlier.latents.unwrap().size_bytes, SAMPLED.len() as u64);
    (place, earlier)
}

async fn decoded_again(place: &Place, earlier: &Job) -> Job {
    let texture = ParamsPatch::default().with("texture_size", 512);
    export(&place.jobs(), earlier.id, Format::Glb, texture).await.job
}

#[tokio::test]
async fn what_was_sampled_is_decoded_by_the_backend_that_sampled_it() {
    let (place, earlier) = sampled().await;
    let new = decoded_again(&place, &earlier).await;
    let runner = place.run(place.settings());
    let job = place.ended(new.id).await;
    assert_eq!(job.state, JobState::Succeeded, "{:?}", job.failure);
    assert_eq!(job.notes, ["scripted", "decoded"]);
    assert_eq!(job.latents, None);
    assert_eq!(job.provenance.unwrap().source, Some(Sha256::of(SAMPLED)));
    runner.stop().await;
    assert_eq!(place.scratch(), 0);
}

#[tokio::test]
async fn what_another_model_sampled_while_the_job_waited_is_not_decoded() {
    let (mut place, earlier) = sampled().await;
    let new = decoded_again(&place, &earlier).await;
    place.model = Some(Sha256::of("another model"));
    let runner = place.run(place.settings());
    let failure = place.ended(new.id).await.failure.unwrap();
    assert!(
        failure.message.contains("this server has others now"),
        "{failure}"
    );
    assert!(failure.fix.contains("submit its pictures again"), "{failure:?}");
    runner.stop().await;
}

#[tokio::test]
async fn nothing_sampled_is_kept_where_the_settings_say_so() {
    let mut place = Place::new();
    place.backends = vec![Scripted::new(BackendChoice::Trellis, "trellis", Format::Glb)];
    let mut settings = place.settings();
    settings.keep_latents = false;
    let runner = place.run(settings);
    let job = place.ended(place.submit(Script::Bytes).await).await;
    assert_eq!((job.state, job.latents), (JobState::Succeeded, None));
    runner.stop().await;
}
