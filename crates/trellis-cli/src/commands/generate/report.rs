//! What is said of a task when it ended: lines for people, JSON for scripts.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use trellis_core::{JobId, JobState, Params, Provenance, Timings, file_size};

use super::asset::{Asset, Done, WrittenFile};
use super::folder::PassedOver;
use super::plan::Task;
use crate::error::CliError;

/// How it ended: as a job, or without one.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum LineState {
    /// It is no picture, and its folder has others.
    PassedOver,
    #[serde(untagged)]
    Job(JobState),
}

/// Why there is no asset, with the names of a job's failure.
#[derive(Debug, Serialize)]
struct LineFailure<'a> {
    kind: &'a str,
    message: String,
    fix: &'a str,
}

/// One line of `--json`.
#[derive(Debug, Serialize)]
pub(crate) struct Line<'a> {
    pictures: &'a [PathBuf],
    state: LineState,
    elapsed_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<JobId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    made_by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    about: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    params: Option<&'a Params>,
    cached: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    timings: Option<&'a Timings>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provenance: Option<&'a Provenance>,
    #[serde(skip_serializing_if = "Option::is_none")]
    statement: Option<&'a Path>,
    files: &'a [WrittenFile],
    notes: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<LineFailure<'a>>,
}

impl<'a> Line<'a> {
    pub(crate) fn succeeded(task: &'a Task, done: &'a Done, elapsed: Duration) -> Self {
        let asset = &done.asset;
        Self {
            pictures: &task.pictures,
            state: LineState::Job(JobState::Succeeded),
            elapsed_ms: millis(elapsed),
            job: Some(asset.job),
            made_by: Some(&asset.made_by),
            about: Some(&asset.about),
            params: Some(&asset.params),
            cached: asset.cached,
            timings: asset.timings.as_ref(),
            provenance: asset.provenance.as_ref(),
            statement: done.statement.as_deref(),
            files: &done.files,
            notes: &asset.notes,
            failure: None,
        }
    }

    pub(crate) fn failed(task: &'a Task, error: &'a CliError, elapsed: Duration) -> Self {
        Self::without_asset(&task.pictures, LineState::Job(JobState::Failed), error, elapsed)
    }

    pub(crate) fn passed_over(passed: &'a PassedOver) -> Self {
        let pictures = std::slice::from_ref(&passed.path);
        Self::without_asset(pictures, LineState::PassedOver, &passed.error, Duration::ZERO)
    }

    fn without_asset(
        pictures: &'a [PathBuf],
        state: LineState,
        error: &'a CliError,
        elapsed: Duration,
    ) -> Self {
        Self {
            pictures,
            state,
            elapsed_ms: millis(elapsed),
            job: None,
            made_by: None,
            about: None,
            params: None,
            cached: false,
            timings: None,
            provenance: None,
            statement: None,
            files: &[],
            notes: &[],
            failure: Some(LineFailure {
                kind: error.name(),
                message: error.sentence(),
                fix: error.advice(),
            }),
        }
    }

    pub(crate) fn to_json(&self) -> String {
        // Paths that are not UTF-8 are the one thing that JSON cannot hold.
        serde_json::to_string(self).unwrap_or_else(|error| {
            serde_json::json!({ "state": self.state, "failure": { "kind": "internal", "message": error.to_string() } })
                .to_string()
        })
    }
}

/// A file that was written, for people.
pub(crate) fn written(file: &WrittenFile, asset: &Asset, elapsed: Duration) -> String {
    let made_by = &asset.made_by;
    let kept = if asset.cached {
        ", cached from an earlier job"
    } else {
        ""
    };
    let replaced = if file.written.replaced { ", replaced" } else { "" };
    format!(
        "wrote {} ({}{replaced}) in {:.1} s by {made_by}{kept}",
        file.path.display(),
        file_size(file.written.size_bytes),
        elapsed.as_secs_f64(),
    )
}

/// Where the time went and how much GPU memory it took, for people; none for what took less than a second.
pub(crate) fn timings(timings: &Timings) -> Option<String> {
    let total: u64 = timings.stages.iter().map(|time| time.ms).sum();
    if total < 1000 {
        return None;
    }
    let mut parts: Vec<String> = timings
        .stages
        .iter()
        .map(|time| {
            format!(
                "{} {}.{} s",
                time.stage.name().replace('_', " "),
                time.ms / 1000,
                time.ms % 1000 / 100
            )
        })
        .collect();
    parts.extend(
        timings
            .peak_vram_bytes
            .map(|bytes| format!("peak VRAM {}", file_size(bytes))),
    );
    Some(format!("stages: {}", parts.join(", ")))
}

/// A statement that was written, for people.
pub(crate) fn stated(path: &Path, signed_by: Option<&str>) -> String {
    match signed_by {
        Some(key) => format!(
            "wrote {}, a statement of what made it, signed by `{key}`",
            path.display()
        ),
        None => format!(
            "wrote {}, a statement of what made it, not signed",
            path.display()
        ),
    }
}

/// The list of failures at the end.
pub(crate) fn failures(of: usize, failed: &[(String, CliError)]) -> String {
    let mut text = format!("\n{} of {of} failed:", failed.len());
    for (name, error) in failed {
        let _ = write!(
            text,
            "\n  {name}: {}\n    hint: {}",
            error.sentence(),
            error.advice()
        );
    }
    text
}

/// The list of what was passed over, at the end.
pub(crate) fn passed_over(all: &[PassedOver]) -> String {
    let mut text = format!("\n{} passed over:", all.len());
    for passed in all {
        let (path, error) = (passed.path.display(), &passed.error);
        let _ = write!(
            text,
            "\n  {path}: {}\n    hint: {}",
            error.sentence(),
            error.advice()
        );
    }
    text
}

fn millis(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use trellis_core::{Stage, StageTime};

    use super::*;

    #[test]
    fn stages_are_listed_where_they_took_long() {
        let took = |ms| Timings {
            stages: vec![
                StageTime {
                    stage: Stage::SparseStructure,
                    ms,
                },
                StageTime {
                    stage: Stage::Texture,
                    ms: 14_020,
                },
            ],
            peak_vram_bytes: Some(12_300_000_000),
        };
        assert_eq!(
            timings(&took(1_290)).unwrap(),
            "stages: sparse structure 1.2 s, texture 14.0 s, peak VRAM 12.3 GB"
        );
        let quick = Timings {
            stages: took(20).stages[..1].to_vec(),
            peak_vram_bytes: None,
        };
        assert_eq!(timings(&quick), None);
    }
}
