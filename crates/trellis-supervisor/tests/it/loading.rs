//! Starts that fail: the true cause is told, jobs do not wait for ever, and a repaired worker comes back.

use std::time::Duration;

use serde_json::{Value, json};
use trellis_backend::{Backend, Readiness};
use trellis_core::{FailureKind, RestartKind, WorkerCommand};
use trellis_supervisor::{Limits, TrellisBackend};

use crate::kit::{Kit, model, quick, settings};

/// Loading fails by these rules with the kind and words, after as many starts as there are to be.
async fn breaks(rules: Value, kind: FailureKind, words: &str) {
    let kit = Kit::start(rules, quick()).await;
    told(&kit, kind, words).await;
    assert_eq!(kit.worker().counters.starts, u64::from(quick().broken_after));
    kit.close().await;
}

async fn told(kit: &Kit, kind: FailureKind, words: &str) {
    let failure = kit.broken().await;
    assert_eq!(failure.kind, kind, "{failure:?}");
    assert!(failure.message.contains(words), "{failure:?}");
    assert!(!failure.message.contains("Repository Not Found"), "{failure:?}");
    assert_eq!(kit.failure(1).await, failure, "a job does not wait for it");
}

fn raise(at: &str, kind: &str, text: &str) -> Value {
    json!([{ "at": at, "do": "raise", "type": kind, "text": text }])
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_import_says_has_its_kind() {
    let symbol = "/nix/store/abc/xformers/_C.so: undefined symbol: _ZN3c104cuda9SetDeviceEab";
    breaks(
        raise("import", "ImportError", symbol),
        FailureKind::ExtensionAbi,
        "`_C.so` was built for another torch",
    )
    .await;
    breaks(
        raise("import", "ModuleNotFoundError", "spconv"),
        FailureKind::ExtensionMissing,
        "the Python package `spconv` is not installed",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_gpu_while_loading_is_told_and_tried_in_low_vram_mode() {
    let rules = json!([{ "at": "model:slat_flow", "do": "out_of_memory" }]);
    let kit = Kit::start(rules, quick()).await;
    told(
        &kit,
        FailureKind::GpuOutOfMemory,
        "while loading `slat_flow_model`",
    )
    .await;
    assert!(kit.worker().low_vram);
    let restarts = u64::from(quick().broken_after) - 1;
    kit.restarted(&[(RestartKind::Memory, restarts)]);
    kit.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_driver_that_is_missing_or_old_has_its_kind() {
    for (text, kind) in [
        (
            "Found no NVIDIA driver on your system.",
            FailureKind::DriverMissing,
        ),
        (
            "The NVIDIA driver on your system is too old (found version 11040).",
            FailureKind::DriverTooOld,
        ),
    ] {
        let folder = model(&json!([]));
        std::fs::write(
            folder.path().join("cuda.json"),
            json!({ "init": text }).to_string(),
        )
        .unwrap();
        let backend = TrellisBackend::start(settings(folder.path(), 1, quick()))
            .await
            .unwrap();
        let kit = Kit { backend, folder };
        told(&kit, kind, "NVIDIA driver").await;
        kit.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encoder_that_is_not_pinned_is_a_refused_download() {
    let folder = model(&json!([]));
    std::fs::remove_dir_all(folder.path().join("torch/hub/facebookresearch_dinov2_main")).unwrap();
    let kit = Kit {
        backend: TrellisBackend::start(settings(folder.path(), 1, quick()))
            .await
            .unwrap(),
        folder,
    };
    told(
        &kit,
        FailureKind::OfflineDownloadAttempt,
        "https://github.com/facebookresearch/dinov2",
    )
    .await;
    kit.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_exits_while_loading_is_told() {
    breaks(
        json!([{ "at": "model:slat_flow", "do": "exit", "code": 5 }]),
        FailureKind::WorkerLost,
        "the worker exited with status 5",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_hangs_is_given_up() {
    let limits = Limits {
        load: Duration::from_secs(3),
        broken_after: 1,
        ..quick()
    };
    let kit = Kit::start(json!([{ "at": "hub", "do": "hang" }]), limits).await;
    told(&kit, FailureKind::WorkerLost, "made no progress in loading").await;
    kit.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interpreter_that_is_not_there_is_told() {
    let folder = model(&json!([]));
    let mut settings = settings(folder.path(), 1, quick());
    settings.launch.python = "/no/such/python".into();
    let kit = Kit {
        backend: TrellisBackend::start(settings).await.unwrap(),
        folder,
    };
    told(
        &kit,
        FailureKind::ExtensionMissing,
        "the worker cannot be started",
    )
    .await;
    assert!(kit.broken().await.fix.contains("--python"));
    let restarts = u64::from(quick().broken_after) - 1;
    kit.restarted(&[(RestartKind::Start, restarts)]);
    kit.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_checkpoint_is_named_and_a_repair_is_taken_up() {
    let folder = model(&json!([]));
    let file = folder.path().join("ckpts/slat_dec_gs.safetensors");
    let moved = folder.path().join("elsewhere");
    std::fs::rename(&file, &moved).unwrap();
    let kit = Kit {
        backend: TrellisBackend::start(settings(folder.path(), 1, quick()))
            .await
            .unwrap(),
        folder,
    };
    told(
        &kit,
        FailureKind::CheckpointMissing,
        "`ckpts/slat_dec_gs.safetensors`",
    )
    .await;
    std::fs::rename(&moved, &file).unwrap();
    assert!(kit.backend.command("trellis-0", WorkerCommand::Restart));
    kit.until(|backend| backend.readiness() == Readiness::Ready).await;
    kit.job(1).await.0.expect("it works again");
    kit.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_worker_is_tried_again_by_itself() {
    let limits = Limits {
        broken_after: 2,
        broken_wait: Duration::from_secs(1),
        ..quick()
    };
    let kit = Kit::start(json!([{ "at": "import", "do": "exit", "times": 2 }]), limits).await;
    kit.broken().await;
    kit.until(|backend| backend.readiness() == Readiness::Ready).await;
    assert_eq!(kit.worker().counters.starts, 3);
    assert_eq!(kit.worker().failure, None);
    kit.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warm_up_shows_its_progress() {
    let folder = model(&json!([{ "at": "decode", "do": "sleep", "seconds": 0.3 }]));
    let mut settings = settings(folder.path(), 1, quick());
    settings.launch.warm_up = true;
    let kit = Kit {
        backend: TrellisBackend::start(settings).await.unwrap(),
        folder,
    };
    kit.until(|backend| backend.workers()[0].reason.contains("warm_up: decode"))
        .await;
    kit.until(|backend| backend.readiness() == Readiness::Ready).await;
    kit.close().await;
}
