//! The model folder in the doctor's report: what `trellis model check` finds, in its words.

use std::path::{Path, PathBuf};

use trellis_core::{Explain as _, Model};
use trellis_doctor::{Check, Finding, Level};
use trellis_models::check::check as check_folder;
use trellis_models::pipeline::PIPELINE_FILE;
use trellis_models::role::Role;
use trellis_models::{Places, Problem, Report, Severity, locate};

use super::super::Context;

/// What was found.
pub(super) struct Checked {
    pub(super) findings: Vec<Finding>,
    /// The folder, if there is one.
    pub(super) folder: Option<PathBuf>,
    /// The model that it is of: the one that it is wanted for, else by what is in it. None: its files do not tell.
    pub(super) of: Option<Model>,
}

/// Checks the model folder that is named, which is to be one of `wanted`, if that is known.
pub(super) fn check(asked: &str, wanted: Option<Model>, context: &Context<'_>) -> Checked {
    let places = Places::from_env(|name| context.environment.get(name).map(Into::into));
    let located = match locate(asked, &places) {
        Ok(located) => located,
        Err(error) => {
            let finding = finding(
                asked,
                (error.kind(), Level::Error),
                error.to_string(),
                error.advice().into_owned(),
            );
            return Checked {
                findings: vec![finding],
                folder: None,
                of: None,
            };
        }
    };
    let report = check_folder(&located, &places);
    let other = wanted.and_then(|wanted| of_other(&report, wanted));
    let problems = report.problems.iter().chain(&other);
    let mut findings: Vec<Finding> = problems.map(|problem| of(asked, problem)).collect();
    if report.passed() && other.is_none() {
        let sound = report
            .checkpoints
            .iter()
            .filter(|checkpoint| checkpoint.sound)
            .count();
        let message = format!(
            "{}, each there and whole by its header and by samples of its numbers",
            crate::output::count(sound, "checkpoint")
        );
        findings.push(finding(asked, ("model_sound", Level::Ok), message, String::new()));
    }
    Checked {
        findings,
        folder: Some(located.folder),
        of: report.model.map(|found| wanted.unwrap_or(found)),
    }
}

/// That the folder is one of another model than `wanted`, where it is.
fn of_other(report: &Report, wanted: Model) -> Option<Problem> {
    let found = report.model.filter(|found| *found != wanted)?;
    Some(Problem::OtherFamily { found, wanted })
}

/// What would keep the workers from loading a model folder, each as a line of the report. The radiance-field
/// decoder is left out, which they do not load; so is the encoder of shapes, which they can do without. Nothing where the
/// folder is not there: that is for the backend to say, and `auto` then takes another.
pub(super) fn unloadable(folder: &Path, wanted: Model, context: &Context<'_>) -> Vec<String> {
    let places = Places::from_env(|name| context.environment.get(name).map(Into::into));
    if !folder.join(PIPELINE_FILE).exists() {
        return Vec::new();
    }
    let Ok(located) = locate(&folder.to_string_lossy(), &places) else {
        return Vec::new();
    };
    let report = check_folder(&located, &places);
    let unused = |name: &str| {
        let checkpoint = report
            .checkpoints
            .iter()
            .find(|checkpoint| checkpoint.name == name);
        let roles = [Role::SlatDecoderRf, Role::ShapeSlatEncoder].map(|role| [role.name()]);
        checkpoint.is_some_and(|found| roles.iter().any(|role| found.roles == *role))
    };
    let keeps_from_loading = |problem: &&Problem| match problem {
        Problem::CheckpointMissing { role, .. } => role != Role::SlatDecoderRf.name(),
        Problem::Misplaced { name, .. } => !unused(name),
        Problem::SubstituteFlowModel { .. }
        | Problem::CheckpointHalf { .. }
        | Problem::PipelineUnreadable { .. }
        | Problem::EncoderMissing { .. } => true,
        _ => false,
    };
    let other = of_other(&report, wanted);
    let lines = report.problems.iter().filter(keeps_from_loading);
    lines
        .chain(&other)
        .map(|problem| format!("  ✗ {}\n    → {}", problem.sentence(), problem.advice()))
        .collect()
}

fn of(asked: &str, problem: &Problem) -> Finding {
    let level = match problem.severity() {
        Severity::Warning => Level::Warn,
        Severity::Error => Level::Error,
    };
    finding(
        asked,
        (problem.kind(), level),
        problem.sentence(),
        problem.advice().into_owned(),
    )
}

fn finding(subject: &str, (kind, level): (&'static str, Level), message: String, advice: String) -> Finding {
    Finding {
        check: Check::Model,
        kind,
        level,
        subject: subject.to_owned(),
        message,
        advice,
        evidence: Vec::new(),
    }
}
