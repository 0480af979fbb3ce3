//! How much of a worker's message is taken. A worker may be broken or anybody's code: what it says reaches clients, logs
//! and terminals, so it is cut, counted and cleaned before anything else sees it.
//!
//! The page for people: docs/worker-protocol.md, whose table is held against [`BOUNDS`].

use trellis_core::{StageTime, counted, plain_line, plain_text};

use super::{FailedReport, FromWorker, GpuFacts};

const NAME: usize = 64;
const VERSION: usize = 128;
const VERSIONS: usize = 64;
const SETTINGS: usize = 32;
const FILE_NAME: usize = 128;
const NOTE: usize = 300;
const NOTES: usize = 20;
const LIBRARIES: usize = 16;
const STAGES: usize = 32;
const MESSAGE: usize = 500;
const CAUSE: usize = 2000;
const CAUSES: usize = 20;
const TRACEBACK: usize = 64 << 10;
/// A week.
const STAGE_MS: u64 = 7 * 24 * 60 * 60 * 1000;
/// Beyond any machine's memory: such a number means nothing, and 0 stands for what is unknown.
const MEMORY_BYTES: u64 = 1 << 50;
/// The most files that a job is taken to have: some for each format.
pub(crate) const ARTIFACTS: usize = 32;

/// What is taken, for the page for people: of what, how much at most, in which unit.
#[cfg(test)]
pub(super) const BOUNDS: [(&str, u64, &str); 14] = [
    (
        "a name: of a GPU, of a package, of a library, of what is being loaded",
        NAME as u64,
        "characters",
    ),
    ("a version, a setting", VERSION as u64, "characters"),
    ("`versions`", VERSIONS as u64, "entries"),
    ("`determinism`", SETTINGS as u64, "entries"),
    ("`artifact` of a job", ARTIFACTS as u64, "messages"),
    ("`stages`", STAGES as u64, "entries"),
    ("`ms`", STAGE_MS, "a week"),
    ("a number of bytes of memory", MEMORY_BYTES, "1 PiB"),
    ("a note", NOTE as u64, "characters"),
    ("`notes`", NOTES as u64, "entries"),
    ("`non_commercial`", LIBRARIES as u64, "entries"),
    ("`message`", MESSAGE as u64, "characters"),
    ("`causes`", CAUSES as u64, "entries of 2000 characters"),
    ("`traceback`", TRACEBACK as u64, "characters"),
];

impl FromWorker {
    /// The message as the rest of the program may see it.
    #[must_use]
    pub fn bounded(self) -> Self {
        match self {
            Self::Hello {
                protocol,
                versions,
                gpu,
            } => Self::Hello {
                protocol,
                versions: versions
                    .into_iter()
                    .take(VERSIONS)
                    .map(|(name, version)| (line(&name, NAME), line(&version, VERSION)))
                    .collect(),
                gpu: gpu.map(|gpu| GpuFacts {
                    name: line(&gpu.name, NAME),
                    capability: line(&gpu.capability, NAME),
                    memory_bytes: memory(gpu.memory_bytes),
                }),
            },
            Self::LoadProgress { part, step, total } => Self::LoadProgress {
                part: line(&part, NAME),
                step: step.min(total),
                total,
            },
            Self::Loaded {
                load_ms,
                vram_bytes,
                low_vram,
                determinism,
            } => Self::Loaded {
                load_ms: load_ms.min(STAGE_MS),
                vram_bytes: memory(vram_bytes),
                low_vram,
                determinism: lines(&determinism, SETTINGS, VERSION).0,
            },
            Self::Progress {
                job,
                stage,
                step,
                total,
            } => Self::Progress {
                job,
                stage,
                step: step.min(total),
                total,
            },
            Self::Artifact {
                job,
                name,
                format,
                size_bytes,
            } => Self::Artifact {
                job,
                // Not shortened to a name that could be another file's.
                name: name.chars().take(FILE_NAME).collect(),
                format,
                size_bytes,
            },
            Self::Latents {
                job,
                name,
                size_bytes,
            } => Self::Latents {
                job,
                name: name.chars().take(FILE_NAME).collect(),
                size_bytes,
            },
            Self::Done {
                job,
                stages,
                peak_vram_bytes,
                vram_bytes,
                rss_bytes,
                notes,
                non_commercial,
            } => Self::Done {
                job,
                stages: stages.into_iter().take(STAGES).map(stage).collect(),
                peak_vram_bytes: memory(peak_vram_bytes),
                vram_bytes: memory(vram_bytes),
                rss_bytes: memory(rss_bytes),
                notes: notes_of(&notes),
                non_commercial: lines(&non_commercial, LIBRARIES, NAME).0,
            },
            Self::Failed { job, report } => Self::Failed {
                job,
                report: bounded(&report),
            },
            Self::Cancelled { job } => Self::Cancelled { job },
            Self::Pong {
                rss_bytes,
                vram_bytes,
            } => Self::Pong {
                rss_bytes: memory(rss_bytes),
                vram_bytes: memory(vram_bytes),
            },
        }
    }
}

fn bounded(report: &FailedReport) -> FailedReport {
    let (mut causes, left_out) = lines(&report.causes, CAUSES, CAUSE);
    if left_out > 0 {
        causes.push(format!("and {}", counted(left_out, "more cause", "more causes")));
    }
    FailedReport {
        kind: report.kind,
        message: line(&report.message, MESSAGE),
        causes,
        traceback: plain_text(&first(&report.traceback, TRACEBACK)).into_owned(),
        replace: report.replace,
    }
}

fn notes_of(notes: &[String]) -> Vec<String> {
    let (mut notes, left_out) = lines(notes, NOTES, NOTE);
    if left_out > 0 {
        notes.push(format!(
            "and {} of the worker",
            counted(left_out, "more note", "more notes")
        ));
    }
    notes
}

/// The first lines, each in one piece, and how many were left out.
fn lines(texts: &[String], most: usize, longest: usize) -> (Vec<String>, u64) {
    let left_out = texts.len().saturating_sub(most) as u64;
    let kept = texts.iter().take(most).map(|text| line(text, longest)).collect();
    (kept, left_out)
}

fn line(text: &str, longest: usize) -> String {
    plain_line(text.trim(), longest)
}

/// The first characters of a text of several lines.
fn first(text: &str, longest: usize) -> String {
    let mut kept: String = text.chars().take(longest).collect();
    if kept.len() < text.len() {
        kept.push('…');
    }
    kept
}

fn stage(time: StageTime) -> StageTime {
    StageTime {
        ms: time.ms.min(STAGE_MS),
        ..time
    }
}

fn memory(bytes: u64) -> u64 {
    if bytes > MEMORY_BYTES { 0 } else { bytes }
}
