//! One snapshot per message, read by the Python tests too; frames; yesterday's messages.

use std::path::PathBuf;

use proptest::prelude::*;
use trellis_core::{
    Defaults, FailureKind, Format, JobId, Model, Params, ParamsPatch, Quality, Stage, StageTime,
};

use super::bounds::BOUNDS;
use super::*;

fn job() -> JobId {
    "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap()
}

fn to_worker() -> Vec<ToWorker> {
    vec![
        ToWorker::Load {
            model: Model::DEFAULT,
            folder: PathBuf::from("/models/trellis"),
            quality: Quality::Balanced,
            low_vram: false,
            warm_up: Some(Params::warm_up(Model::DEFAULT, &Defaults::default())),
        },
        ToWorker::Generate {
            job: job(),
            pictures: vec![PathBuf::from("/scratch/in/0"), PathBuf::from("/scratch/in/1")],
            out: PathBuf::from("/scratch/out"),
            params: ParamsPatch::default().resolve(7).unwrap(),
            low_vram: false,
            traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
                .parse()
                .ok(),
            latents: Some(PathBuf::from("/scratch/latents.safetensors")),
            keep_latents: true,
            mesh: None,
        },
        ToWorker::Cancel { job: job() },
        ToWorker::Ping,
        ToWorker::Shutdown,
    ]
}

fn from_worker() -> Vec<FromWorker> {
    let versions = [
        ("python", "3.12.8"),
        ("torch", "2.9.1+cu128"),
        ("cuda", "12.8"),
        ("xformers", "0.0.33.post2"),
        ("spconv", "2.3.8"),
        ("kaolin", "0.18.0"),
    ];
    vec![
        FromWorker::Hello {
            protocol: PROTOCOL,
            versions: versions
                .map(|(name, version)| (name.to_owned(), version.to_owned()))
                .into(),
            gpu: Some(GpuFacts {
                name: "NVIDIA GeForce RTX 5090 Laptop GPU".to_owned(),
                capability: "12.0".to_owned(),
                memory_bytes: 25_646_268_416,
            }),
        },
        FromWorker::LoadProgress {
            part: "slat_flow_model".to_owned(),
            step: 2,
            total: 6,
        },
        FromWorker::Loaded {
            load_ms: 31_000,
            vram_bytes: 6_100_000_000,
            low_vram: false,
            determinism: vec!["torch.backends.cudnn.benchmark = False".to_owned()],
        },
        FromWorker::Progress {
            job: job(),
            stage: Stage::StructuredLatent,
            step: 3,
            total: 12,
        },
        FromWorker::Artifact {
            job: job(),
            name: "model.glb".to_owned(),
            format: Format::Glb,
            size_bytes: 1_234_567,
        },
        FromWorker::Latents {
            job: job(),
            name: "latents.safetensors".to_owned(),
            size_bytes: 1_234_567,
        },
        FromWorker::Done {
            job: job(),
            stages: vec![StageTime {
                stage: Stage::Preprocess,
                ms: 210,
            }],
            peak_vram_bytes: 9_000_000_000,
            vram_bytes: 6_200_000_000,
            rss_bytes: 5_000_000_000,
            notes: vec!["the PLY holds the full mesh".to_owned()],
            non_commercial: vec!["nvdiffrast".to_owned()],
        },
        FromWorker::Failed {
            job: Some(job()),
            report: FailedReport {
                kind: FailureKind::GpuOutOfMemory,
                message: "the GPU ran out of memory in stage `decode`".to_owned(),
                causes: vec!["OutOfMemoryError: CUDA out of memory".to_owned()],
                traceback: "Traceback (most recent call last): …".to_owned(),
                replace: false,
            },
        },
        FromWorker::Cancelled { job: job() },
        FromWorker::Pong {
            rss_bytes: 5_000_000_000,
            vram_bytes: 6_200_000_000,
        },
    ]
}

fn tag(message: &impl serde::Serialize) -> String {
    serde_json::to_value(message).unwrap()["type"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn snapshots() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("messages");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings
}

#[test]
fn each_message_has_a_snapshot_and_comes_back_from_it() {
    snapshots().bind(|| {
        for message in to_worker() {
            insta::assert_json_snapshot!(format!("to_worker.{}", tag(&message)), message);
            let text = serde_json::to_string(&message).unwrap();
            assert_eq!(serde_json::from_str::<ToWorker>(&text).unwrap(), message);
        }
        for message in from_worker() {
            insta::assert_json_snapshot!(format!("from_worker.{}", tag(&message)), message);
            let text = serde_json::to_string(&message).unwrap();
            assert_eq!(serde_json::from_str::<FromWorker>(&text).unwrap(), message);
        }
        let constants = serde_json::json!({ "protocol": PROTOCOL, "max_frame_bytes": MAX_FRAME_BYTES });
        insta::assert_json_snapshot!("constants", constants);
        let kinds = FailureKind::ALL.map(FailureKind::name);
        insta::assert_json_snapshot!("failure_kinds", kinds);
    });
}

#[test]
fn the_page_for_people_names_every_message_and_field() {
    let page = include_str!("../../../../docs/worker-protocol.md");
    let mut messages: Vec<serde_json::Value> = to_worker()
        .iter()
        .map(|message| serde_json::to_value(message).unwrap())
        .collect();
    messages.extend(
        from_worker()
            .iter()
            .map(|message| serde_json::to_value(message).unwrap()),
    );
    for message in messages {
        let tag = message["type"].as_str().unwrap();
        let section = page.split(&format!("### `{tag}`")).nth(1);
        let section = section.unwrap_or_else(|| panic!("the page has no section for `{tag}`"));
        let section = section.split("\n### ").next().unwrap();
        for field in message
            .as_object()
            .unwrap()
            .keys()
            .filter(|field| *field != "type")
        {
            assert!(
                section.contains(&format!("`{field}`")),
                "`{tag}` lacks `{field}` on the page"
            );
        }
    }
    for (what, most, unit) in BOUNDS {
        let row = format!("| {what} | {most} | {unit} |");
        assert!(page.contains(&row), "the page has no row `{row}`");
    }
    for fact in [format!("version {PROTOCOL}"), format!("{MAX_FRAME_BYTES} bytes")] {
        assert!(page.contains(&fact), "the page does not say `{fact}`");
    }
}

#[test]
fn a_hello_without_optional_fields_still_parses() {
    let text = r#"{"type": "hello", "protocol": 2, "versions": {"python": "3.12.8"}, "later": true}"#;
    let FromWorker::Hello { versions, gpu, .. } = serde_json::from_str(text).unwrap() else {
        panic!("not a hello")
    };
    assert_eq!((versions.len(), gpu), (1, None));
}

#[test]
fn what_a_worker_says_is_cut_counted_and_cleaned() {
    for message in from_worker() {
        assert_eq!(
            message.clone().bounded(),
            message,
            "an honest worker loses nothing"
        );
    }
    let escape = "\x1b]0;owned\x07\u{202e}";
    let done = FromWorker::Done {
        job: job(),
        stages: vec![
            StageTime {
                stage: Stage::Decode,
                ms: u64::MAX
            };
            10_000
        ],
        peak_vram_bytes: 1 << 63,
        vram_bytes: u64::MAX,
        rss_bytes: 5,
        notes: (0..10_000)
            .map(|number| format!("note {number} {escape}\nline 2"))
            .collect(),
        non_commercial: vec![format!("{escape}{}", "x".repeat(300)); 10_000],
    };
    let FromWorker::Done {
        stages,
        peak_vram_bytes,
        vram_bytes,
        rss_bytes,
        notes,
        non_commercial,
        ..
    } = done.bounded()
    else {
        panic!("it is another message")
    };
    assert_eq!((peak_vram_bytes, vram_bytes, rss_bytes), (0, 0, 5));
    assert!(stages.len() == 32 && stages[0].ms == 604_800_000);
    assert_eq!(notes.len(), 21);
    assert_eq!(non_commercial.len(), 16);
    assert!(non_commercial[0].starts_with("\u{fffd}]0;owned") && non_commercial[0].chars().count() <= 64);
    assert_eq!(notes[20], "and 9980 more notes of the worker");
    assert_eq!(notes[0], "note 0 \u{fffd}]0;owned\u{fffd}\u{fffd} line 2");
    let failed = FromWorker::Failed {
        job: None,
        report: FailedReport {
            kind: FailureKind::Internal,
            message: format!("{escape}{}", "x".repeat(300_000)),
            causes: vec![escape.repeat(2000); 500],
            traceback: format!("one\n{escape}{}", "y".repeat(500_000)),
            replace: true,
        },
    };
    let FromWorker::Failed { report, .. } = failed.bounded() else {
        panic!("it is another message")
    };
    assert_eq!(report.message.chars().count(), 500);
    assert!(report.message.ends_with("xx…"), "{}", report.message);
    assert_eq!(report.causes.len(), 21);
    assert!(report.traceback.len() < 70_000 && report.traceback.starts_with("one\n\\u001b]0;owned"));
    let shown = format!("{}{:?}{}", report.message, report.causes, report.traceback);
    assert!(!shown.contains(['\x1b', '\x07', '\u{202e}']));
}

async fn read(bytes: &[u8]) -> Result<FromWorker, FrameError> {
    let mut bytes = bytes;
    read_frame(&mut bytes).await
}

#[tokio::test]
async fn bad_frames_are_told_apart() {
    assert!(matches!(read(b"").await, Err(FrameError::Closed)));
    assert!(matches!(read(b"\0\0").await, Err(FrameError::Socket { .. })));
    assert!(matches!(
        read(b"\0\0\0\x05{}").await,
        Err(FrameError::Socket { .. })
    ));
    assert!(matches!(
        read(b"\xff\xff\xff\xff").await,
        Err(FrameError::TooLong { .. })
    ));
    assert!(matches!(
        read(b"\0\0\0\x02{}").await,
        Err(FrameError::NotAMessage { .. })
    ));
    let too_long = FromWorker::LoadProgress {
        part: "x".repeat(MAX_FRAME_BYTES),
        step: 0,
        total: 1,
    };
    let written = write_frame(&mut Vec::new(), &too_long).await;
    assert!(matches!(written, Err(FrameError::TooLong { .. })));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let _ = runtime.block_on(read(&bytes));
    }
}
