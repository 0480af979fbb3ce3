//! Something to look at while a job waits or is worked on.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use trellis_backend::{Backend, Capabilities, MadeWith, Output, Readiness, Reporter, Request};
use trellis_core::{BackendChoice, Failure, FailureKind, Format, GenerateError, Job, JobState, Timings};
use trellis_jobs::{BlobKey, JobStore};
use trellis_provenance::glb;

use crate::kit::Place;
use crate::scripted::{Script, Scripted, bytes};

/// Makes a file at once, of every job but those that are to fail.
struct Quick(Capabilities);

#[async_trait::async_trait]
impl Backend for Quick {
    fn capabilities(&self) -> &Capabilities {
        &self.0
    }

    fn choice(&self) -> BackendChoice {
        BackendChoice::Relief
    }

    fn readiness(&self) -> Readiness {
        Readiness::Ready
    }

    async fn generate(
        &self,
        request: Request,
        _: &dyn Reporter,
        _: CancellationToken,
    ) -> Result<Output, GenerateError> {
        assert!(request.scratch.is_dir());
        assert_eq!(
            (request.pictures.len(), request.params.formats),
            (1, vec![Format::Glb])
        );
        if Script::ALL[request.params.seed as usize] == Script::Fail {
            return Err(Failure::new(FailureKind::NoObject, "nothing stands out").into());
        }
        Ok(Output {
            files: vec![bytes("model.glb")],
            notes: vec![],
            timings: Timings::default(),
            made_with: MadeWith::default(),
            latents: None,
        })
    }
}

/// TRELLIS with two places, and what makes previews beside it.
pub(crate) fn place() -> (Place, Arc<Scripted>) {
    let mut place = Place::new();
    let real = Scripted::new(BackendChoice::Trellis, "trellis", Format::Glb);
    let quick: Arc<dyn Backend> = Arc::new(Quick(Capabilities {
        name: "relief",
        description: "",
        preview: true,
        formats: vec![Format::Glb],
        multiview: false,
        slots: 1,
    }));
    place.backends = vec![real.clone(), quick.clone()];
    place.previews = Some(quick);
    (place, real)
}

pub(crate) fn shows_a_preview(job: &Job) -> bool {
    job.artifacts
        .iter()
        .any(|file| file.preview && file.name == "preview.glb")
}

#[tokio::test]
async fn a_job_that_waits_has_a_preview_like_one_that_is_worked_on() {
    let (place, real) = place();
    let runner = place.run(place.settings());
    let mut jobs = Vec::new();
    for script in [Script::Gate, Script::Gate, Script::Fail, Script::Bytes] {
        jobs.push(place.submit(script).await);
    }
    for (number, id) in jobs.iter().enumerate().filter(|(number, _)| *number != 2) {
        let job = place.until(*id, shows_a_preview).await;
        let waits = number > 1;
        assert_eq!(
            job.state == JobState::Queued,
            waits,
            "job {number} is {:?}",
            job.state
        );
        let file = place.artifact(*id, "preview.glb").await.unwrap();
        let preview = place.blobs.get(&file.key).await.unwrap();
        assert_eq!(glb::read(&mut preview.as_ref()).unwrap().backend, "relief");
    }
    // One that can have none holds nobody up.
    assert!(place.store.get(jobs[2]).await.unwrap().artifacts.is_empty());
    real.gate.cancel();
    for id in &jobs {
        let job = place.ended(*id).await;
        assert!(!shows_a_preview(&job), "a preview gives way to the result");
    }
    runner.stop().await;
    for id in jobs {
        let kept = place.blobs.of_job(id).await.unwrap();
        assert!(
            !kept.contains(&BlobKey::artifact(id, 0, "preview.glb")),
            "{kept:?}"
        );
    }
    assert_eq!(place.scratch(), 0);
}

#[tokio::test]
async fn a_preview_is_made_of_no_preview() {
    let (mut place, _) = place();
    place.backends = vec![place.backend.clone()];
    let runner = place.run(place.settings());
    let id = place.submit(Script::Gate).await;
    place.until(id, |job| job.progress.is_some()).await;
    assert!(place.store.get(id).await.unwrap().artifacts.is_empty());
    place.backend.gate.cancel();
    assert_eq!(place.ended(id).await.artifacts[0].name, "model.glb");
    runner.stop().await;
}
