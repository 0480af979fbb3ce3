//! Carries a plan out: the record first, then each file by way of a temporary one, so that a crash at any
//! point leaves a folder that `undo` can take back.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::error::RepairError;
use super::marker::{Change, Marker};
use super::plan::{Plan, Remedy};
use crate::moves::Move;
use crate::pipeline::PIPELINE_FILE;
use crate::reference::Reference;
use crate::write::{copy_atomically, write_atomically};

/// The ending of what a repair replaced.
const KEPT: &str = ".before-repair";

/// What will be written where.
struct Step {
    change: Change,
    bytes: Bytes,
}

enum Bytes {
    Of(PathBuf),
    /// The file of this name in the target, which is then no longer there.
    Moved(String),
    Text(String),
}

/// Carries out a plan whose downloads were made, and returns what was changed.
pub fn apply(plan: &Plan) -> Result<Vec<Change>, RepairError> {
    let target = &plan.target;
    let steps = steps(plan)?;
    if steps.is_empty() {
        return Ok(Vec::new());
    }
    if *target != plan.folder {
        link_all(&plan.folder, target).map_err(write_error(target))?;
    }
    let mut marker = Marker::try_read(target)
        .map_err(|source| RepairError::MarkerUnreadable { source })?
        .unwrap_or_default();
    marker.substitution = plan.substitution().cloned().or(marker.substitution);
    marker
        .changes
        .extend(steps.iter().map(|step| step.change.clone()));
    marker.write(target)?;
    for step in &steps {
        let path = target.join(&step.change.path);
        run(step, target, &path).map_err(write_error(&path))?;
    }
    Ok(steps.into_iter().map(|step| step.change).collect())
}

fn write_error(path: &Path) -> impl FnOnce(io::Error) -> RepairError {
    let path = path.to_owned();
    move |source| RepairError::Write { path, source }
}

fn run(step: &Step, target: &Path, path: &Path) -> io::Result<()> {
    if let Some(kept) = &step.change.kept_as {
        let kept = target.join(kept);
        if step.change.path == PIPELINE_FILE {
            // A copy: at no moment is the folder without its pipeline.json.
            copy_atomically(path, &kept)?;
        } else {
            fs::rename(path, &kept)?;
        }
    }
    match &step.bytes {
        Bytes::Of(source) => copy_atomically(source, path),
        Bytes::Moved(from) => relocate(&target.join(from), path),
        Bytes::Text(text) => write_atomically(path, text.as_bytes()),
    }
}

fn steps(plan: &Plan) -> Result<Vec<Step>, RepairError> {
    let mut steps = Vec::new();
    for remedy in &plan.remedies {
        let (name, source) = match remedy {
            Remedy::Copy { name, source } => (name, source),
            Remedy::Move { moves, .. } => {
                for one in moves {
                    steps.push(moving(plan, one)?);
                }
                continue;
            }
            Remedy::Fetch { .. } | Remedy::Substitute(_) => continue,
        };
        let Ok(reference) = Reference::parse(name) else {
            continue;
        };
        let config = source.config.iter().map(|config| (reference.config(), config));
        for (path, from) in config.chain([(reference.weights(), &source.weights)]) {
            let size = fs::metadata(from).map_err(write_error(from))?.len();
            steps.push(Step {
                change: change(plan, path, size, &source.whose),
                bytes: Bytes::Of(from.clone()),
            });
        }
    }
    if let Some((_, after)) = plan.edited_pipeline()? {
        steps.push(Step {
            change: change(
                plan,
                PIPELINE_FILE.to_owned(),
                after.len() as u64,
                "substitute flow model",
            ),
            bytes: Bytes::Text(after),
        });
    }
    Ok(steps)
}

fn moving(plan: &Plan, one: &Move) -> Result<Step, RepairError> {
    let from = plan.folder.join(&one.from);
    let size = fs::metadata(&from).map_err(write_error(&from))?.len();
    let mut change = change(plan, one.to.clone(), size, &format!("`{}`", one.from));
    change.moved_from = Some(one.from.clone());
    Ok(Step {
        change,
        bytes: Bytes::Moved(one.from.clone()),
    })
}

/// Moves a file within the folder. A link that is relative would lead elsewhere from its new place, so it is
/// made again.
pub(super) fn relocate(from: &Path, to: &Path) -> io::Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    if from.is_symlink() {
        symlink(fs::canonicalize(from)?, to)?;
        return fs::remove_file(from);
    }
    fs::rename(from, to)
}

fn change(plan: &Plan, path: String, size: u64, source: &str) -> Change {
    let there = plan.folder.join(&path).symlink_metadata().is_ok();
    let kept_as = there.then(|| {
        // A name that an earlier repair took is left alone: its file is the true original.
        let numbered = (1..).map(|n| format!("{path}{KEPT}-{n}"));
        let mut names = std::iter::once(format!("{path}{KEPT}")).chain(numbered);
        let free = |name: &String| plan.target.join(name).symlink_metadata().is_err();
        names.find(free).unwrap_or_else(|| format!("{path}{KEPT}"))
    });
    Change {
        path,
        kept_as,
        moved_from: None,
        size,
        source: source.to_owned(),
    }
}

/// A folder with the snapshot's files as links, straight to what they point to.
fn link_all(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let Some(name) = path.file_name() else { continue };
        if fs::metadata(&path)?.is_dir() {
            link_all(&path, &to.join(name))?;
        } else {
            symlink(fs::canonicalize(&path)?, to.join(name))?;
        }
    }
    Ok(())
}
