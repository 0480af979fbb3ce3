//! Checks a model folder without loading a tensor: what TRELLIS's loader would read, in its order.
//!
//! Headers and sizes only; `lock::verify` hashes.

mod checkpoint;
mod settings;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::cache::Located;
use crate::extras;
use crate::pipeline::{PIPELINE_FILE, Pipeline};
use crate::places::Places;
use crate::problem::Problem;
use crate::reference::Reference;
use crate::repair::Marker;
use crate::report::{Checkpoint, ExtraFound, Report};
use crate::role::Role;

pub(crate) use checkpoint::{Read, read_checkpoint};

/// Checks a folder.
pub fn check(located: &Located, places: &Places) -> Report {
    let folder = &located.folder;
    let mut report = Report {
        folder: folder.clone(),
        snapshot: located.snapshot.clone(),
        pipeline: None,
        checkpoints: Vec::new(),
        extras: Vec::new(),
        hashed: false,
        problems: Vec::new(),
    };
    match Pipeline::read(folder) {
        Ok(pipeline) => {
            report.pipeline = Some(pipeline.name.clone());
            check_models(folder, &pipeline, places, &mut report);
            settings::check(&pipeline, &mut report.problems);
            check_extras(&pipeline, places, &mut report);
        }
        Err(error) if error.is_not_found() => report.problems.push(Problem::PipelineMissing {
            folder: folder.clone(),
        }),
        Err(source) => report.problems.push(Problem::PipelineUnreadable { source }),
    }
    add_unnamed(folder, &mut report);
    if let Some(reason) = Marker::read(folder).and_then(|marker| marker.refusal()) {
        report.problems.push(Problem::AsInNotes { reason });
    }
    report.add(Vec::new());
    report
}

/// The files of a folder that inference reads, relative to it, `pipeline.json` first. Those of other
/// repositories are left out unless they lie in the folder, and refused names always are.
pub fn files_read(folder: &Path, pipeline: &Pipeline) -> Vec<String> {
    let mut files = vec![PIPELINE_FILE.to_owned()];
    for reference in references(pipeline) {
        let here = reference.files_in(folder).1.exists();
        if here || reference.other_repo().is_none() {
            files.push(reference.config());
            files.push(reference.weights());
        }
    }
    files
}

/// The sound checkpoint names of a pipeline, each once.
pub fn references(pipeline: &Pipeline) -> Vec<Reference> {
    let names = pipeline.args.models.values();
    let mut found: Vec<Reference> = names.filter_map(|text| Reference::parse(text).ok()).collect();
    found.sort();
    found.dedup();
    found
}

fn check_models(folder: &Path, pipeline: &Pipeline, places: &Places, report: &mut Report) {
    let width = settings::condition_width(pipeline);
    let mut by_name: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (role, text) in &pipeline.args.models {
        by_name.entry(text.clone()).or_default().push(role.clone());
        if Role::from_name(role).is_none() {
            report.problems.push(Problem::RoleUnknown { role: role.clone() });
        }
    }
    for (text, roles) in by_name {
        let reference = match Reference::parse(&text) {
            Ok(reference) => reference,
            Err(reason) => {
                let role = roles.join("`, `");
                report.problems.push(Problem::ReferenceRefused {
                    role,
                    text: text.clone(),
                    reason,
                });
                report.checkpoints.push(absent(text, roles));
                continue;
            }
        };
        let mut read = read_checkpoint(folder, &reference, &roles, places);
        for role in roles.iter().filter_map(|role| Role::from_name(role)) {
            read.check_role(role, width.as_ref());
        }
        let sound = read.problems.is_empty();
        report.problems.append(&mut read.problems);
        report.checkpoints.push(Checkpoint {
            roles,
            sound,
            ..read.into_checkpoint()
        });
    }
}

fn absent(name: String, roles: Vec<String>) -> Checkpoint {
    Checkpoint {
        name,
        roles,
        present: false,
        sound: false,
        class: None,
        dtypes: Vec::new(),
        bytes: None,
    }
}

/// Checkpoints in `ckpts` that nothing names: no fault, but they belong in the list.
fn add_unnamed(folder: &Path, report: &mut Report) {
    for reference in available(folder) {
        if report.checkpoints.iter().any(|c| c.name == reference.as_str()) {
            continue;
        }
        let read = Read::of_files(&reference, &reference.files_in(folder));
        let sound = read.problems.is_empty();
        report.checkpoints.push(Checkpoint {
            roles: Vec::new(),
            sound,
            ..read.into_checkpoint()
        });
    }
    report.checkpoints.sort_by(|a, b| a.name.cmp(&b.name));
}

/// The checkpoints that lie in `ckpts`, told by their weights.
pub fn available(folder: &Path) -> Vec<Reference> {
    let Ok(entries) = std::fs::read_dir(folder.join("ckpts")) else {
        return Vec::new();
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut found: Vec<Reference> = paths.filter_map(|path: PathBuf| weights_name(&path)).collect();
    found.sort();
    found
}

fn weights_name(path: &Path) -> Option<Reference> {
    let name = path.file_name()?.to_str()?.strip_suffix(".safetensors")?;
    Reference::parse(&format!("ckpts/{name}")).ok()
}

fn check_extras(pipeline: &Pipeline, places: &Places, report: &mut Report) {
    let Some(network) = pipeline
        .args
        .image_cond_model
        .as_deref()
        .and_then(extras::Dinov2::from_name)
    else {
        return;
    };
    for extra in extras::needed(network, places) {
        let present = extra.path.is_file();
        if !present {
            report.problems.push(Problem::ExtraMissing {
                what: extra.what,
                path: extra.path.clone(),
            });
        }
        report.extras.push(ExtraFound {
            name: extra.name,
            path: extra.path,
            present,
        });
    }
}
