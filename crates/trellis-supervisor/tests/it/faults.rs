//! Jobs whose worker fails: each way to fail has its outcome, and the next job succeeds.

use serde_json::{Value, json};
use trellis_core::{FailureKind, RestartKind};

use crate::kit::{Kit, quick};

/// The job with seed 1 fails by these rules; it ends with the kind and words, and the next one is fine.
async fn fails(rules: Value, kind: FailureKind, words: &str) {
    let kit = Kit::ready(rules, quick()).await;
    let failure = kit.failure(1).await;
    assert_eq!(failure.kind, kind, "{failure:?}");
    assert!(failure.message.contains(words), "{failure:?}");
    assert!(!failure.fix.is_empty());
    let root = kit.folder.path().to_str().unwrap().to_owned();
    assert!(
        !failure.message.contains(&root),
        "a path of the server is told: {failure:?}"
    );
    kit.job(2).await.0.expect("the next job is fine");
    kit.close().await;
}

/// The job with seed 1 fails by these rules and then succeeds, with a note of these words; meanwhile its worker is
/// restarted so often.
async fn is_retried(rules: Value, words: &str, restarts: &[(RestartKind, u64)]) {
    let kit = Kit::ready(rules, quick()).await;
    let output = kit.job(1).await.0.expect("the job succeeds");
    assert!(output.notes[0].contains(words), "{:?}", output.notes);
    kit.restarted(restarts);
    kit.job(2).await.0.expect("the next job is fine");
    kit.close().await;
}

fn raise(at: &str, text: &str) -> Value {
    json!([{ "at": at, "seed": 1, "do": "raise", "type": "RuntimeError", "text": text }])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_is_retried_twice_and_then_told() {
    let crash = |times: u32| json!([{ "at": "sparse_structure", "step": 3, "seed": 1, "do": "segfault", "times": times }]);
    is_retried(
        crash(2),
        "was killed by signal 11 (SIGSEGV)",
        &[(RestartKind::Crash, 2)],
    )
    .await;
    fails(crash(3), FailureKind::WorkerLost, "SIGSEGV), 3 times in a row").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exit_is_retried() {
    is_retried(
        json!([{ "at": "texture", "seed": 1, "do": "exit", "code": 7, "times": 1 }]),
        "exited with status 7",
        &[(RestartKind::Crash, 1)],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_is_retried() {
    is_retried(
        json!([{ "at": "decode", "seed": 1, "do": "kill", "times": 1 }]),
        "SIGKILL",
        &[(RestartKind::Crash, 1)],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stall_is_found_by_its_stage_and_retried() {
    is_retried(
        json!([{ "at": "condition", "seed": 1, "do": "hang", "times": 1 }]),
        "made no progress in stage `condition`",
        &[(RestartKind::Hang, 1)],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_process_is_found_by_its_silence_and_retried() {
    let limits = trellis_supervisor::Limits {
        patience: 1.0,
        ..quick()
    };
    let rules = json!([{ "at": "structured_latent", "step": 2, "seed": 1, "do": "freeze", "times": 1 }]);
    let kit = Kit::ready(rules, limits).await;
    let output = kit.job(1).await.0.expect("the job succeeds");
    assert!(output.notes[0].contains("has not answered"), "{:?}", output.notes);
    kit.restarted(&[(RestartKind::Hang, 1)]);
    kit.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_on_the_socket_is_retried() {
    is_retried(
        json!([{ "at": "decode", "seed": 1, "do": "babble", "times": 1 }]),
        "sent an invalid message",
        &[(RestartKind::Protocol, 1)],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_on_the_output_is_only_noise() {
    let rules = json!([
        { "at": "condition", "do": "garbage" },
        { "at": "decode", "seed": 1, "do": "flood", "bytes": 50_000_000 },
    ]);
    let kit = Kit::ready(rules, quick()).await;
    kit.job(1).await.0.expect("the job succeeds");
    kit.until(|backend| {
        use trellis_backend::Backend;
        backend.workers()[0].counters.lines_dropped > 40_000
    })
    .await;
    assert_eq!(kit.worker().counters.starts, 1);
    kit.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_retried_in_low_vram_mode() {
    is_retried(
        json!([{ "at": "decode", "seed": 1, "do": "out_of_memory", "only_high_vram": true }]),
        "made in low-VRAM mode",
        &[],
    )
    .await;
    fails(
        json!([{ "at": "decode", "seed": 1, "do": "out_of_memory" }]),
        FailureKind::GpuOutOfMemory,
        "the GPU ran out of memory in stage `decode`: 2.00 GiB more were needed",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_library_says_has_its_kind() {
    let no_kernel = "CUDA error: no kernel image is available for execution on the device";
    fails(
        raise("condition", no_kernel),
        FailureKind::NoKernelImage,
        "no code for this GPU",
    )
    .await;
    fails(
        raise("decode", "shape [1, 8]"),
        FailureKind::Internal,
        "RuntimeError in stage `decode`",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abort_that_only_prints_its_cause_has_its_kind_too() {
    let rules = json!([
        { "at": "condition", "seed": 1, "do": "write_stderr",
          "text": "flash_fwd_launch_template.h: CUDA error: no kernel image is available" },
        { "at": "condition", "seed": 1, "do": "exit", "code": 1 },
    ]);
    fails(
        rules,
        FailureKind::NoKernelImage,
        "exited with status 1, 3 times in a row",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_is_refused_and_named() {
    let url = "https://github.com/danielgatis/rembg/releases/u2net.onnx";
    fails(
        json!([{ "at": "preprocess", "seed": 1, "do": "open_url", "url": url }]),
        FailureKind::OfflineDownloadAttempt,
        url,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_and_a_picture_of_nothing_have_their_kinds() {
    fails(
        json!([{ "at": "export", "seed": 1, "do": "raise", "type": "no_space", "text": "" }]),
        FailureKind::StorageFull,
        "no space left",
    )
    .await;
    let empty = "zero-size array to reduction operation minimum which has no identity";
    fails(
        json!([{ "at": "preprocess", "seed": 1, "do": "raise", "type": "ValueError", "text": empty }]),
        FailureKind::NoObject,
        "no object",
    )
    .await;
}
