//! Jobs that succeed, and jobs that are stopped.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use trellis_backend::{Backend, Latents, Request};
use trellis_core::{Format, GenerateError, Model, ParamsPatch, Sha256, Stage, WorkerState};
use trellis_supervisor::{TrellisBackend, capabilities};

use crate::kit::{Kit, bytes, model, quick, request, settings, trellis2};

#[tokio::test(flavor = "multi_thread")]
async fn a_job_gives_every_format_and_its_progress() {
    let kit = Kit::ready(json!([]), quick()).await;
    let mut request = request(kit.folder.path(), 7);
    let formats = capabilities(Model::DEFAULT, 1).formats;
    request.params.formats.clone_from(&formats);
    let (done, heard) = kit.run(request, CancellationToken::new()).await;
    let output = done.unwrap();
    assert!(bytes(&output, Format::Glb).starts_with(b"glTF"));
    assert_eq!(output.files.len(), formats.len());
    assert_eq!(output.timings.peak_vram_bytes, Some(9 << 30));
    let timed = output.timings.stages.iter().map(|time| time.stage);
    let own: Vec<Stage> = Stage::ALL
        .into_iter()
        .filter(|stage| *stage != Stage::TextureLatent)
        .collect();
    assert_eq!(timed.collect::<Vec<_>>(), own);
    // What it was made with is what the worker said of itself.
    assert_eq!(output.made_with.versions["torch"], "2.9.1+stand-in");
    assert!(kit.backend.uses_python());
    let progress = heard.progress.into_inner().unwrap();
    let mut stages: Vec<Stage> = progress.iter().map(|progress| progress.stage).collect();
    stages.dedup();
    assert!(stages.starts_with(&own), "{stages:?}");
    let steps = progress
        .iter()
        .filter(|progress| progress.stage == Stage::StructuredLatent);
    assert_eq!(
        steps.map(|progress| progress.step).collect::<Vec<_>>(),
        (0..=12).collect::<Vec<_>>()
    );
    let worker = kit.worker();
    assert_eq!(
        (worker.state, worker.counters.jobs_done, worker.counters.starts),
        (WorkerState::Ready, 1, 1)
    );
    assert!(
        worker
            .versions
            .iter()
            .any(|version| version == "torch 2.9.1+stand-in"),
        "{:?}",
        worker.versions
    );
    kit.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sampled_is_kept_and_decoded_again_without_sampling() {
    let kit = Kit::ready(json!([]), quick()).await;
    let asked = |latents: Latents| {
        let mut request = request(kit.folder.path(), 7);
        if let Latents::Of(_) = &latents {
            request.pictures.clear();
        }
        request.latents = latents;
        request
    };
    let first = kit.run(asked(Latents::Keep), CancellationToken::new()).await.0;
    let first = first.unwrap();
    let sampled = Bytes::from(std::fs::read(first.latents.as_ref().unwrap()).unwrap());
    let without = kit.run(asked(Latents::Forget), CancellationToken::new()).await.0;
    assert_eq!(without.unwrap().latents, None, "it was not asked for");

    let mut again = asked(Latents::Of(sampled));
    again.params.formats = vec![Format::Glb, Format::GaussianPly];
    let (made, heard) = kit.run(again, CancellationToken::new()).await;
    let made = made.unwrap();
    assert_eq!(made.files.len(), 2);
    assert_eq!(bytes(&made, Format::Glb), bytes(&first, Format::Glb));
    let progress = heard.progress.into_inner().unwrap();
    let mut stages: Vec<Stage> = progress.iter().map(|progress| progress.stage).collect();
    stages.dedup();
    let expected = [Stage::Decode, Stage::Simplify, Stage::Texture, Stage::Export];
    assert!(stages.starts_with(&expected), "{stages:?}");

    let broken = asked(Latents::Of(Bytes::from_static(b"no tensors")));
    let broken = kit.run(broken, CancellationToken::new()).await.0;
    let Err(GenerateError::Failed(failure)) = broken else {
        panic!("{broken:?}")
    };
    assert!(
        failure.message.contains("the kept latents cannot be read"),
        "{failure}"
    );
    kit.close().await;
}

/// A worker knows no OBJ: the supervisor makes it from the GLB, and asks for no more than that.
#[tokio::test(flavor = "multi_thread")]
async fn an_obj_is_made_of_the_workers_glb() {
    let kit = Kit::ready(json!([]), quick()).await;
    let mut request = request(kit.folder.path(), 7);
    request.params.formats = vec![Format::Obj];
    let (done, _) = kit.run(request, CancellationToken::new()).await;
    let output = done.unwrap();
    let names: Vec<&str> = output.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["model.obj.zip"]);
    let bundle = trellis_convert::Bundle::from_zip(&bytes(&output, Format::Obj)).unwrap();
    let text = String::from_utf8(bundle.files[0].bytes.clone()).unwrap();
    assert!(
        text.starts_with("# red chair: Microsoft TRELLIS on a GPU\n"),
        "{text}"
    );
    assert!(text.contains("\nusemtl red_chair\n"), "{text}");
    // The tetrahedron that the stand-in makes of every picture.
    let lines = |start: &str| text.lines().filter(|line| line.starts_with(start)).count();
    assert_eq!((lines("v "), lines("f ")), (4, 4));
    kit.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_seed_gives_the_same_bytes_from_another_process() {
    let kit = Kit::ready(json!([]), quick()).await;
    let first = bytes(&kit.job(5).await.0.unwrap(), Format::Glb);
    let other = bytes(&kit.job(6).await.0.unwrap(), Format::Glb);
    assert_ne!(first, other);
    kit.close().await;
    let again = Kit::ready(json!([]), quick()).await;
    assert_eq!(bytes(&again.job(5).await.0.unwrap(), Format::Glb), first);
    again.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_job_leaves_the_worker_ready_for_the_next() {
    let rules = json!([{ "at": "structured_latent", "seed": 1, "do": "sleep", "seconds": 0.2 }]);
    let kit = Kit::ready(rules, quick()).await;
    let pid = kit.worker().pid;
    let cancel = CancellationToken::new();
    let stop = async {
        kit.until(|backend| {
            backend.workers()[0]
                .reason
                .starts_with("stage `structured_latent`, step 2")
        })
        .await;
        cancel.cancel();
    };
    let work = kit.run(request(kit.folder.path(), 1), cancel.clone());
    let ((done, _), ()) = tokio::join!(work, stop);
    assert_eq!(done.unwrap_err(), GenerateError::Cancelled);
    kit.job(2).await.0.unwrap();
    assert_eq!(kit.worker().pid, pid, "the process is the same");
    kit.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_does_not_stop_a_cancelled_job_is_replaced() {
    let kit = Kit::ready(json!([{ "at": "decode", "seed": 1, "do": "hang" }]), quick()).await;
    let pid = kit.worker().pid;
    let cancel = CancellationToken::new();
    let stop = async {
        kit.until(|backend| backend.workers()[0].reason.starts_with("stage `decode`"))
            .await;
        cancel.cancel();
    };
    let work = kit.run(request(kit.folder.path(), 1), cancel.clone());
    let ((done, _), ()) = tokio::join!(work, stop);
    assert_eq!(done.unwrap_err(), GenerateError::Cancelled);
    kit.job(2).await.0.unwrap();
    assert_ne!(kit.worker().pid, pid);
    kit.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_goes_away_frees_the_worker() {
    let rules = json!([{ "at": "structured_latent", "seed": 1, "do": "sleep", "seconds": 0.2 }]);
    let kit = Kit::ready(rules, quick()).await;
    let backend = Arc::clone(&kit.backend);
    let abandoned = request(kit.folder.path(), 1);
    let work = tokio::spawn(async move {
        backend
            .generate(abandoned, &crate::kit::Heard::default(), CancellationToken::new())
            .await
    });
    kit.until(|backend| backend.workers()[0].state == WorkerState::Busy)
        .await;
    work.abort();
    kit.until(|backend| backend.workers()[0].state == WorkerState::Ready)
        .await;
    kit.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_share_the_jobs() {
    let folder = model(&json!([{ "at": "structured_latent", "do": "sleep", "seconds": 0.02 }]));
    let backend = TrellisBackend::start(settings(folder.path(), 2, quick()))
        .await
        .unwrap();
    assert_eq!(backend.capabilities().slots, 2);
    let kit = Kit { backend, folder };
    kit.until(|backend| {
        backend
            .workers()
            .iter()
            .all(|worker| worker.state == WorkerState::Ready)
    })
    .await;
    let (a, b, c, d) = tokio::join!(kit.job(1), kit.job(2), kit.job(3), kit.job(4));
    for (done, _) in [a, b, c, d] {
        done.unwrap();
    }
    let done: Vec<u64> = kit
        .backend
        .workers()
        .iter()
        .map(|worker| worker.counters.jobs_done)
        .collect();
    assert_eq!(done.iter().sum::<u64>(), 4);
    assert!(done.iter().all(|done| *done > 0), "{done:?}");
    kit.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_of_trellis_2_runs_in_a_worker_of_its_own() {
    let kit = trellis2(quick()).await;
    assert_eq!(kit.backend.model(), Some(Model::Trellis2));
    assert_eq!(kit.backend.tuning(), None, "nothing was tuned yet");
    // What FlexGEMM leaves there once it has timed its kernels.
    std::fs::write(kit.folder.path().join("state/flex-gemm.json"), "{}").unwrap();
    assert_eq!(kit.backend.capabilities().name, "trellis2");
    assert!(!kit.backend.capabilities().formats.contains(&Format::GaussianPly));
    assert_eq!(kit.worker().name, "trellis2-0");
    let mut request = request(kit.folder.path(), 7);
    let asked = ParamsPatch::default()
        .or_model(Model::Trellis2)
        // The faster ways need real tensors.
        .with("quality", "exact")
        .with("max_num_tokens", 500)
        .with("resolution", 1536);
    request.params = asked.resolve(7).unwrap();
    let (done, _) = kit.run(request, CancellationToken::new()).await;
    let output = done.unwrap();
    assert!(bytes(&output, Format::Glb).starts_with(b"glTF"));
    let timed = output.timings.stages.iter().map(|time| time.stage);
    assert_eq!(timed.collect::<Vec<_>>(), Stage::ALL);
    assert_eq!(output.made_with.tuning, Some(Sha256::of("{}")));
    assert!(
        output.notes[0].contains("1024 in place of 1536"),
        "{:?}",
        output.notes
    );
    kit.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mesh_is_textured_and_what_is_converted_is_made_of_the_result() {
    let kit = trellis2(quick()).await;
    kit.backend.textures_meshes().unwrap();
    let mut request = request(kit.folder.path(), 7);
    let asked = ParamsPatch::default()
        .with("quality", "exact")
        .with("formats", vec![Format::Glb, Format::Voxels]);
    request.params = asked.for_a_mesh().unwrap().resolve(7).unwrap();
    request.latents = Latents::Keep;
    request.mesh = Some(Bytes::from_static(
        b"v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 2 3 4\nf 1 4 3\n",
    ));
    let damaged = Request {
        mesh: Some(Bytes::from_static(b"v 0 0 0\nf 1 1 9\n")),
        ..request.clone()
    };
    let (done, _) = kit.run(request, CancellationToken::new()).await;
    let output = done.unwrap();
    assert!(bytes(&output, Format::Glb).starts_with(b"glTF"));
    assert!(bytes(&output, Format::Voxels).starts_with(b"VOX "));
    assert_eq!(output.latents, None);
    let timed = output.timings.stages.iter().map(|time| time.stage);
    let own: Vec<Stage> = Stage::ALL
        .into_iter()
        .filter(|stage| *stage != Stage::Simplify)
        .collect();
    assert_eq!(timed.collect::<Vec<_>>(), own);
    // What the worker read is what was sent.
    let encoded = std::fs::read_to_string(kit.folder.path().join("encoded.json")).unwrap();
    assert_eq!(encoded, r#"{"vertices": 4, "faces": 4, "resolution": 1024}"#);

    let (failed, _) = kit.run(damaged, CancellationToken::new()).await;
    let Err(GenerateError::Failed(failure)) = failed else {
        panic!("{failed:?}")
    };
    assert!(failure.message.starts_with("the OBJ is damaged"), "{failure:?}");
    assert_eq!(failure.fix, "export the mesh again");
    kit.close().await;
}
