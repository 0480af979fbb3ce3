//! Pages of docs/ are held against the code: `docs/model-problems.md` is made from it (anew with
//! `TRELLIS_WRITE_DOCS=1`), and the kinds that other pages name exist.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use trellis_core::Explain as _;
use trellis_core::{FailureKind, Model};
use trellis_models::config::BadArgument;
use trellis_models::extras::ExtraFault;
use trellis_models::header::HeaderError;
use trellis_models::moves::Move;
use trellis_models::numbers::Numbers;
use trellis_models::{Problem, ReadError, Refused, Severity, StandIn, shape_encoder};

const KINDS: &str = include_str!("../../src/problem.rs");
const OTHER_KINDS: [&str; 5] = [
    include_str!("../../src/repair/error.rs"),
    include_str!("../../src/cache.rs"),
    include_str!("../../../trellis-model-fetch/src/error.rs"),
    include_str!("../../../trellis-doctor/src/imports/problem.rs"),
    include_str!("../../../trellis-doctor/src/abi/problem.rs"),
];

fn docs(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs")
        .join(name)
}

/// The names in `Variant { … } = "name",` and in `Other => "name",`.
fn kinds_in(source: &str) -> BTreeSet<&str> {
    let behind = ["=> \"", " = \""].map(|sign| source.split(sign).skip(1));
    let names = behind
        .into_iter()
        .flatten()
        .filter_map(|rest| rest.split('"').next());
    let plain = |name: &&str| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    names.filter(plain).collect()
}

/// Words in backticks that look like a kind.
fn named_in(text: &str) -> impl Iterator<Item = &str> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted.filter(|word| word.contains('_') && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
}

/// One of each kind.
fn samples() -> Vec<Problem> {
    let name = || "ckpts/slat_flow".to_owned();
    let role = || "slat_flow_model".to_owned();
    let file = || "ckpts/slat_flow.safetensors".to_owned();
    let path = || PathBuf::from("DIR/pipeline.json");
    let missing = || ReadError::Io {
        path: path(),
        source: io::ErrorKind::PermissionDenied.into(),
    };
    let weights = |reason| Problem::Weights { name: name(), reason };
    let extra = |source| Problem::ExtraBroken {
        what: "DINOv2's weights",
        path: "DIR/dinov2.pth".into(),
        source,
    };
    let json = || serde_json::from_str::<u8>("{").unwrap_err();
    vec![
        Problem::PipelineMissing { folder: "DIR/ckpts".into(), near: Some("DIR".into()) },
        Problem::OtherFamily { found: Model::Trellis2, wanted: Model::TrellisImageLarge },
        Problem::EncoderMissing { file: "dinov3/model.safetensors".to_owned() },
        Problem::ShapeEncoderMissing { file: format!("{}.safetensors", shape_encoder::NAME) },
        Problem::ConfigDiffers { name: shape_encoder::NAME.to_owned(), argument: "use_fp16".to_owned() },
        Problem::PipelineUnreadable { source: missing() },
        Problem::PipelineUnreadable { source: ReadError::StandIn { path: path(), found: StandIn::WebPage } },
        Problem::PipelineUnreadable { source: ReadError::StandIn { path: path(), found: StandIn::ByteOrderMark } },
        Problem::PipelineUnknown { name: "MyImageTo3DPipeline".to_owned() },
        Problem::RoleMissing { role: "slat_flow_model", lost: "no job can run" },
        Problem::RoleUnknown { role: "upsampler".to_owned() },
        Problem::Setting { setting: "slat_sampler.params.steps".to_owned(), fault: "must be a whole number of at least 1".to_owned() },
        Problem::ConditionWidth { role: "slat_flow_model", network: "dinov2_vitb14".to_owned(), expected: 1024, found: 768 },
        Problem::ReferenceRefused { role: role(), text: "../../etc/passwd".to_owned(), reason: Refused::Climbs },
        Problem::CheckpointMissing { name: name(), role: role() },
        Problem::Misplaced { name: name(), moves: vec![Move { from: "slat_flow (1).json".to_owned(), to: "ckpts/slat_flow.json".to_owned() }] },
        Problem::DanglingLink { file: file(), target: "../../../blobs/693fb2a5…".into() },
        Problem::WouldDownload { name: "org/repo/ckpts/x".to_owned(), role: role(), repo: "org/repo".to_owned() },
        Problem::ConfigUnreadable { name: name(), source: missing() },
        Problem::ConfigArgument { name: name(), reason: BadArgument { name: "model_channels".to_owned(), wanted: "a positive whole number" } },
        Problem::ClassUnknown { name: name(), class: "SLatFlowModelV2".to_owned() },
        Problem::ClassDoesNotFit { name: name(), class: "SparseStructureFlowModel".to_owned(), role: "slat_flow_model" },
        weights(HeaderError::Truncated { found: 1000, expected: 2000 }),
        weights(HeaderError::TrailingBytes { found: 2000, expected: 1000 }),
        weights(HeaderError::StandIn(StandIn::Empty)),
        weights(HeaderError::StandIn(StandIn::Zeros)),
        weights(HeaderError::StandIn(StandIn::LfsPointer)),
        weights(HeaderError::StandIn(StandIn::WebPage)),
        weights(HeaderError::StandIn(StandIn::ServerMessage)),
        weights(HeaderError::Malformed { source: json() }),
        Problem::Shape { name: name(), fault: "3 transformer blocks instead of 24".to_owned() },
        Problem::OddDtype { name: name(), dtypes: "F8_E4M3, I8".to_owned() },
        Problem::Numbers { name: name(), reason: Numbers::ZeroTail { tensor: "blocks.11.mlp.mlp.2.weight".to_owned(), bytes: 100_000 } },
        Problem::Numbers { name: name(), reason: Numbers::Holes { tensor: "blocks.3.mlp.mlp.2.weight".to_owned(), zero: 5, all: 64 } },
        Problem::Numbers { name: name(), reason: Numbers::Nan { tensor: "out_layer.weight".to_owned(), bad: 2048, all: 2048 } },
        Problem::Counts { name: name(), found: (525, 600_432_512), expected: (526, 600_432_520) },
        Problem::DownloadUnfinished { file: file().into(), left: "ckpts/slat_flow.safetensors.aria2".into() },
        Problem::DownloadLeftover { left: "ckpts/slat_flow.safetensors.part".into() },
        extra(ExtraFault::StandIn(StandIn::WebPage)),
        extra(ExtraFault::Truncated { found: 1000, expected: 2000 }),
        extra(ExtraFault::NoEndRecord),
        extra(ExtraFault::ZeroTail { bytes: 4096 }),
        extra(ExtraFault::NotTorch),
        Problem::ExtraDiffers { what: "DINOv2's weights", path: "DIR/dinov2.pth".into(), found: 1000, expected: 2000 },
        Problem::ExtraMissing { what: "DINOv2's code", path: "DIR/hubconf.py".into() },
        Problem::LockMissing { path: "DIR/trellis-model.lock.json".into() },
        Problem::LockUnreadable { source: missing() },
        Problem::LockedFileMissing { file: file() },
        Problem::LockedSize { file: file(), found: 1000, expected: 2000 },
        Problem::LockedHash { file: file(), found: "5e1f…".to_owned(), expected: "9a02…".to_owned() },
        Problem::BlobHash { file: file(), found: "5e1f…".to_owned(), expected: "9a02…".to_owned() },
        Problem::PinnedSize { file: file(), found: 1000, expected: 2000 },
        Problem::PinnedHash { file: file(), found: "5e1f…".to_owned(), expected: "693f…".to_owned(), sources: 2 },
        Problem::PinnedHash { file: "pipeline.json".to_owned(), found: "5e1f…".to_owned(), expected: "2686…".to_owned(), sources: 0 },
        Problem::NotLocked { file: file() },
        Problem::Unreadable { path: path(), source: io::ErrorKind::PermissionDenied.into() },
        Problem::SubstituteFlowModel { reason: "with `ckpts/ss_flow`, a sparse-structure model, as the `slat_flow_model` the pipeline loads, but sampling fails".to_owned() },
    ]
}

#[test]
fn every_kind_of_problem_is_documented_with_its_advice() {
    let samples = samples();
    let shown: BTreeSet<&str> = samples.iter().map(Problem::kind).collect();
    assert_eq!(
        shown,
        kinds_in(KINDS),
        "a kind has no sample here, or a sample no kind"
    );
    let mut page = String::from(
        "# What `trellis model check` can find\n\nThe first word is the `kind` in `--json`. Made from the code; do not edit.\n",
    );
    for severity in [Severity::Error, Severity::Warning] {
        let title = if severity == Severity::Error {
            "Errors"
        } else {
            "Warnings"
        };
        let _ = write!(
            page,
            "\n## {title}\n\n| kind | such as | what to do |\n|---|---|---|\n"
        );
        for problem in samples.iter().filter(|problem| problem.severity() == severity) {
            assert!(!problem.advice().ends_with('.') && !problem.sentence().ends_with('.'));
            let _ = writeln!(
                page,
                "| `{}` | {} | {} |",
                problem.kind(),
                problem.sentence(),
                problem.advice()
            );
        }
    }
    let path = docs("model-problems.md");
    if std::env::var_os("TRELLIS_WRITE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/model-problems.md is not current: run `TRELLIS_WRITE_DOCS=1 cargo test -p trellis-models`"
    );
}

#[test]
fn kinds_named_in_prose_exist() {
    let mut known = kinds_in(KINDS);
    known.extend(OTHER_KINDS.iter().flat_map(|source| kinds_in(source)));
    known.extend(FailureKind::ALL.map(FailureKind::name));
    // Words of TRELLIS and of the command line that look like kinds.
    known.extend(["slat_flow_model", "from_pretrained", "repo_id", "repo_type"]);
    for name in ["models.md", "masked-errors.md"] {
        let text = std::fs::read_to_string(docs(name)).unwrap();
        for word in named_in(&text) {
            assert!(
                known.contains(word),
                "docs/{name} names `{word}`, which no code does"
            );
        }
    }
}

#[test]
fn every_kind_of_fetching_and_repairing_is_in_its_table() {
    let text = std::fs::read_to_string(docs("models.md")).unwrap();
    let tables: String = text.lines().filter(|line| line.starts_with("| `")).collect();
    for source in [OTHER_KINDS[0], OTHER_KINDS[2]] {
        for kind in kinds_in(source) {
            assert!(
                tables.contains(&format!("`{kind}`")),
                "docs/models.md lacks `{kind}`"
            );
        }
    }
}
