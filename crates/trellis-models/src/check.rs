//! Checks a model folder without loading a tensor: what TRELLIS's loader would read, in its order.
//!
//! Headers, sizes and samples of the numbers only; `lock::verify` and `published::verify` hash.

mod checkpoint;
mod settings;

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use trellis_core::{Explain as _, Severity};

use crate::cache::Located;
use crate::dinov3;
use crate::extras::{self, Extra};
use crate::header::Header;
use crate::leftovers::{self, Leftover};
use crate::misplaced::{self, Found};
use crate::pipeline::{PIPELINE_FILE, Pipeline};
use crate::places::Places;
use crate::problem::Problem;
use crate::published;
use crate::read::read_json;
use crate::reference::Reference;
use crate::repair::Marker;
use crate::report::{Checkpoint, ExtraFound, Report};
use crate::role::{self, Role};

use checkpoint::dangling;
pub(crate) use checkpoint::{Read, read_checkpoint};

/// Checks a folder.
pub fn check(located: &Located, places: &Places) -> Report {
    let folder = &located.folder;
    let mut report = Report {
        folder: folder.clone(),
        snapshot: located.snapshot.clone(),
        pipeline: None,
        model: None,
        checkpoints: Vec::new(),
        extras: Vec::new(),
        hashed: false,
        problems: Vec::new(),
    };
    let looking = Looking::new(located, places);
    match looking.pipeline(&mut report.problems) {
        Ok(pipeline) => {
            report.pipeline = Some(pipeline.name.clone());
            report.model = pipeline.model();
            check_models(&looking, &pipeline, &mut report);
            if pipeline.is_trellis2() {
                report.problems.extend(check_dinov3(folder));
            }
            settings::check(&pipeline, &mut report.problems);
            check_extras(&pipeline, places, &mut report);
            let files = pipeline.files_read(folder);
            report.problems.extend(published::check_snapshot(located, &files));
        }
        Err(problem) => report.problems.push(problem),
    }
    add_unnamed(folder, &mut report);
    add_leftovers(located, places, &mut report);
    if let Some(reason) = Marker::read(folder).and_then(|marker| marker.refusal()) {
        report.problems.push(Problem::SubstituteFlowModel { reason });
    }
    report.add(Vec::new());
    report
}

/// A folder while it is looked at. The search for misplaced files is made once, and only if a file is missing.
struct Looking<'a> {
    folder: &'a Path,
    places: &'a Places,
    in_cache: bool,
    found: OnceCell<Found>,
}

impl<'a> Looking<'a> {
    fn new(located: &'a Located, places: &'a Places) -> Self {
        Self {
            folder: &located.folder,
            places,
            in_cache: located.snapshot.is_some(),
            found: OnceCell::new(),
        }
    }

    fn misplaced(&self) -> &Found {
        self.found.get_or_init(|| {
            // Nothing is moved in a hub cache: the hub client keeps it in order.
            if self.in_cache {
                Found::default()
            } else {
                misplaced::find(self.folder)
            }
        })
    }

    /// The pipeline, in its place or found elsewhere.
    fn pipeline(&self, problems: &mut Vec<Problem>) -> Result<Pipeline, Problem> {
        let error = match Pipeline::read(self.folder) {
            Ok(pipeline) => return Ok(pipeline),
            Err(error) => error,
        };
        let damaged = if error.is_not_found() {
            dangling(&self.folder.join(PIPELINE_FILE), PIPELINE_FILE.to_owned())
        } else {
            Some(Problem::PipelineUnreadable { source: error })
        };
        let found = self.misplaced();
        if let (Some(pipeline), Some(misplaced)) = (&found.pipeline, found.of(PIPELINE_FILE)) {
            problems.extend(damaged);
            problems.push(misplaced.into());
            return Ok(pipeline.clone());
        }
        if let Some(damaged) = damaged {
            return Err(damaged);
        }
        let absolute = std::path::absolute(self.folder).ok();
        let above = absolute.as_deref().and_then(Path::parent);
        let near = above.filter(|above| above.join(PIPELINE_FILE).is_file());
        Err(Problem::PipelineMissing {
            folder: self.folder.to_owned(),
            near: near.map(Path::to_owned),
        })
    }

    /// Reads a checkpoint, or what of it lies elsewhere in the folder.
    fn checkpoint(&self, reference: &Reference, roles: &[String]) -> Read {
        let read = read_checkpoint(self.folder, reference, roles, self.places);
        if read.problems.is_empty() {
            return read;
        }
        match self.misplaced().of(reference.as_str()) {
            Some(misplaced) => read.found_elsewhere(self.folder, (reference, &role::known(roles)), misplaced),
            None => read,
        }
    }
}

/// Beside the model, beside the extras, and where the hub client and browsers keep what they have not finished.
fn add_leftovers(located: &Located, places: &Places, report: &mut Report) {
    let folder = &located.folder;
    let mut folders = vec![folder.clone(), folder.join("ckpts")];
    folders.push(folder.join(".cache/huggingface/download/ckpts"));
    folders.push(places.torch_hub.join("checkpoints"));
    folders.push(places.u2net.clone());
    let repo = folder.parent().and_then(Path::parent);
    if let (Some(_), Some(repo)) = (&located.snapshot, repo) {
        folders.push(repo.join("blobs"));
    }
    let found = leftovers::find(&folders).into_iter();
    report.problems.extend(found.map(|leftover| match leftover {
        Leftover::Unfinished { left, file } => Problem::DownloadUnfinished { file, left },
        Leftover::Partial { left } => Problem::DownloadLeftover { left },
    }));
}

fn check_models(looking: &Looking<'_>, pipeline: &Pipeline, report: &mut Report) {
    let width = settings::condition_width(pipeline);
    let mut by_name: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let model = pipeline.model();
    for (role, text) in pipeline.loaded() {
        by_name.entry(text.clone()).or_default().push(role.clone());
        let known = role.parse::<Role>();
        if !known.is_ok_and(|role| model.is_none_or(|model| role.is_of(model))) {
            report.problems.push(Problem::RoleUnknown { role: role.clone() });
        }
    }
    for (text, roles) in by_name {
        let reference = match pipeline.reference(&text) {
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
        let mut read = looking.checkpoint(&reference, &roles);
        for role in role::known(&roles) {
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
        built_in_config: false,
    }
}

/// TRELLIS.2's picture encoder, which lies in its folder.
fn check_dinov3(folder: &Path) -> Vec<Problem> {
    let [config, weights] = dinov3::FILES;
    let missing = |file: &&str| !folder.join(file).is_file();
    if let Some(file) = [config, weights].into_iter().find(missing) {
        let file = file.to_owned();
        let dangling = dangling(&folder.join(&file), file.clone());
        return vec![dangling.unwrap_or(Problem::EncoderMissing { file })];
    }
    let name = || weights.trim_end_matches(".safetensors").to_owned();
    let unreadable = read_json::<Value>(&folder.join(config))
        .err()
        .map(|source| Problem::ConfigUnreadable { name: name(), source });
    let wrong = match Header::read(&folder.join(weights)) {
        Ok(header) => dinov3::misfit(&header).map(|fault| Problem::Shape { name: name(), fault }),
        Err(reason) => Some(Problem::Weights { name: name(), reason }),
    };
    unreadable.into_iter().chain(wrong).collect()
}

/// Checkpoints in `ckpts` that nothing names: no fault, but they belong in the list.
fn add_unnamed(folder: &Path, report: &mut Report) {
    for reference in available(folder) {
        if report.checkpoints.iter().any(|c| c.name == reference.as_str()) {
            continue;
        }
        let read = Read::of_files(&reference, &reference.files_in(folder), &[]);
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
    for extra in pipeline.extras(places) {
        let present = extra.path.exists();
        let problem = extra_problem(&extra, present);
        let sound = problem
            .as_ref()
            .is_none_or(|found| found.severity() == Severity::Warning);
        report.problems.extend(problem);
        report.extras.push(ExtraFound {
            name: extra.name,
            path: extra.path,
            present,
            sound: present && sound,
        });
    }
}

fn extra_problem(extra: &Extra, present: bool) -> Option<Problem> {
    let (what, path) = (extra.what, extra.path.clone());
    if !present {
        return Some(Problem::ExtraMissing { what, path });
    }
    if let Err(source) = extras::look(extra) {
        return Some(Problem::ExtraBroken { what, path, source });
    }
    let found = std::fs::metadata(&path).ok()?.len();
    let expected = extra.pin?.size;
    (found != expected).then_some(Problem::ExtraDiffers {
        what,
        path,
        found,
        expected,
    })
}
