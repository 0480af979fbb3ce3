//! Holds a folder against the published model, whose sizes, digests and counts are the project's pins.
//!
//! A folder is not judged by its names alone: a conversion to another element type is right with other bytes.
//! So without hashing only what claims to be the published file is compared: a snapshot at the pinned commit, a
//! file of the published length, or weights beside the published configuration.

use std::fs;
use std::path::Path;

use trellis_core::{Model, Sha256};
use trellis_pins::{ModelFile, Pins, TrellisModel};

use crate::cache::Located;
use crate::hash::{self, OnBytes};
use crate::header::Header;
use crate::lock::{ExtraDigest, Lock};
use crate::pipeline::Pipeline;
use crate::places::Places;
use crate::problem::Problem;
use crate::reference::Reference;
use crate::shape_encoder;

/// The pins of a model's folder.
fn folder(model: Model) -> &'static TrellisModel {
    &Pins::embedded().models.folders[model.name()]
}

/// The pinned folder of a repository at a commit.
fn pinned(repo: &str, revision: &str) -> Option<&'static TrellisModel> {
    let mut folders = Pins::embedded().models.folders.values();
    folders.find(|folder| folder.repository == repo && folder.revision == revision)
}

/// The files of `names` that no pin of the model covers. The configuration of TRELLIS.2's encoder of shapes has no pin,
/// and `check` compares it by its values.
pub fn uncovered(model: Option<Model>, names: &[String]) -> Vec<&str> {
    let names = names.iter().map(String::as_str);
    let by_values = format!("{}.json", shape_encoder::NAME);
    let covered = |name: &str| match model {
        Some(Model::Trellis2) if name == by_values => true,
        Some(model) => folder(model).file(name).is_some(),
        None => false,
    };
    names.filter(|name| !covered(name)).collect()
}

/// Compares a snapshot of the pinned commit with the pins by the sizes of its files and the names of its blobs;
/// nothing for any other folder.
pub(crate) fn check_snapshot(located: &Located, names: &[String]) -> Vec<Problem> {
    let snapshot = located.snapshot.as_ref();
    let Some(folder) = snapshot.and_then(|snapshot| pinned(&snapshot.repo, &snapshot.revision)) else {
        return Vec::new();
    };
    let pinned = names.iter().filter_map(|name| folder.file(name));
    let problem = |file: &ModelFile| {
        let path = located.folder.join(&file.path);
        let found = fs::metadata(&path).ok()?.len();
        if found != file.size {
            return Some(size_problem(file, found));
        }
        let name = blob_name(&path)?;
        (name != file.sha256).then(|| hash_problem(file, name))
    };
    pinned.filter_map(problem).collect()
}

/// The digest that a hub cache names a file's blob by, where it is a sha256.
fn blob_name(path: &Path) -> Option<Sha256> {
    let blob = fs::canonicalize(path).ok()?;
    let name = blob.file_name()?.to_str()?;
    blob.parent()?.ends_with("blobs").then(|| name.parse().ok())?
}

fn size_problem(file: &ModelFile, found: u64) -> Problem {
    Problem::PinnedSize {
        file: file.path.clone(),
        found,
        expected: file.size,
    }
}

fn hash_problem(file: &ModelFile, found: Sha256) -> Problem {
    Problem::PinnedHash {
        file: file.path.clone(),
        found: found.to_string(),
        expected: file.sha256.to_string(),
        sources: file.sources,
    }
}

/// Hashes the files of `names` that are pinned for the model and compares them. A file of another length is not
/// hashed.
pub fn verify(model: Model, place: &Path, names: &[String], on_bytes: OnBytes<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut whole = Vec::new();
    for file in names.iter().filter_map(|name| folder(model).file(name)) {
        let path = place.join(&file.path);
        match fs::metadata(&path) {
            Ok(meta) if meta.len() == file.size => whole.push((file, path)),
            // What was put together may be wrong by us in its length, too.
            Ok(_) if file.sources == 0 => whole.push((file, path)),
            Ok(meta) => problems.push(size_problem(file, meta.len())),
            // `check` says which are missing.
            Err(_) => {}
        }
    }
    let paths: Vec<_> = whole.iter().map(|(_, path)| path).collect();
    for ((file, path), digest) in whole.iter().zip(hash::sha256_all(&paths, on_bytes)) {
        match digest {
            Ok(found) if found == file.sha256 => {}
            Ok(found) => problems.push(hash_problem(file, found)),
            Err(source) => problems.push(Problem::Unreadable {
                path: path.clone(),
                source,
            }),
        }
    }
    problems
}

/// Hashes DINOv2's weights and u2net where they have the published length.
pub fn verify_extras(pipeline: &Pipeline, places: &Places, on_bytes: OnBytes<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for extra in pipeline.extras(places) {
        let Some(pin) = extra.pin else { continue };
        let length = fs::metadata(&extra.path).map(|meta| meta.len());
        if !length.is_ok_and(|found| found == pin.size) {
            continue;
        }
        match hash::sha256(&extra.path, on_bytes) {
            Ok(found) if found == pin.sha256 => {}
            Ok(found) => problems.push(Problem::PinnedHash {
                file: extra.path.display().to_string(),
                found: found.to_string(),
                expected: pin.sha256.to_string(),
                sources: pin.sources,
            }),
            Err(source) => problems.push(Problem::Unreadable {
                path: extra.path,
                source,
            }),
        }
    }
    problems
}

/// Compares what a lock says with the pins, if it locks the pinned commit: a lock made of damaged files locks
/// the damage.
pub fn compare_lock(lock: &Lock) -> Vec<Problem> {
    let (repo, revision) = (lock.repo.as_deref(), lock.revision.as_deref());
    let folder = repo
        .zip(revision)
        .and_then(|(repo, revision)| pinned(repo, revision));
    let mut problems = Vec::new();
    if let Some(folder) = folder {
        let files = lock.files.iter();
        let files = files.filter_map(|locked| Some((locked, folder.file(&locked.path)?)));
        let differ = files.filter(|(locked, file)| locked.sha256 != file.sha256);
        problems.extend(differ.map(|(locked, file)| hash_problem(file, locked.sha256)));
    }
    let models = &Pins::embedded().models;
    for (name, pin) in [("dinov2_weights", &models.dinov2), ("u2net", &models.u2net)] {
        let locked = lock.extras.iter().find(|extra| extra.name == name);
        // Other weights than the pinned network's have another length.
        if let Some(ExtraDigest::File { size, sha256 }) = locked.map(|extra| &extra.digest)
            && *size == pin.size
            && *sha256 != pin.sha256
        {
            problems.push(Problem::PinnedHash {
                file: pin.file.clone(),
                found: sha256.to_string(),
                expected: pin.sha256.to_string(),
                sources: pin.sources,
            });
        }
    }
    problems
}

/// Compares the counts of a header that claims to be a published checkpoint's.
pub(crate) fn check_counts(reference: &Reference, config: &Path, header: &Header) -> Option<Problem> {
    let inner = reference.other_repo().map(|(_, inner)| inner);
    let reference = inner.as_ref().unwrap_or(reference);
    // A checkpoint that two models share is the same file in both.
    let mut folders = Pins::embedded().models.folders.values();
    let folder = folders.find(|folder| folder.file(&reference.weights()).is_some())?;
    let file = folder.file(&reference.weights())?;
    let expected = (file.tensors?, file.elements?);
    let found = (header.tensors.len() as u64, header.elements());
    let claims = header.file_bytes == file.size
        || folder.file(&reference.config()).is_some_and(|pinned| {
            let same_size = fs::metadata(config).is_ok_and(|meta| meta.len() == pinned.size);
            same_size && hash::sha256(config, &|_| {}).is_ok_and(|found| found == pinned.sha256)
        });
    (claims && found != expected).then(|| Problem::Counts {
        name: reference.as_str().to_owned(),
        found,
        expected,
    })
}
