//! Holds a folder against its lock, or a snapshot against the names of its blobs.

use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};

use trellis_core::Sha256;

use super::{Lock, extra_digest, size};
use crate::hash::{self, Hashing, OnBytes};
use crate::pipeline::Pipeline;
use crate::places::Places;
use crate::problem::Problem;

impl Lock {
    /// Compares a folder with the lock: always the sizes, the bytes with `hashing`.
    pub fn verify(&self, folder: &Path, places: &Places, hashing: Option<Hashing<'_>>) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut right_size = Vec::new();
        for file in &self.files {
            match size(&folder.join(&file.path)) {
                Ok(found) if found == file.size => right_size.push(file),
                Ok(found) => problems.push(Problem::LockedSize {
                    file: file.path.clone(),
                    found,
                    expected: file.size,
                }),
                Err(_) => problems.push(Problem::LockedFileMissing {
                    file: file.path.clone(),
                }),
            }
        }
        if let Some(hashing) = hashing {
            let paths: Vec<PathBuf> = right_size.iter().map(|file| folder.join(&file.path)).collect();
            let digests = hash::sha256_all(&paths, hashing.on_bytes);
            let wrong = |file, found, expected| Problem::LockedHash {
                file,
                found,
                expected,
            };
            for ((file, path), digest) in right_size.iter().zip(&paths).zip(digests) {
                problems.extend(compare(wrong, &file.path, path, digest, &file.sha256));
            }
            self.verify_extras(folder, places, hashing, &mut problems);
        }
        if let Ok(pipeline) = Pipeline::read(folder) {
            let read = pipeline.files_read(folder);
            let unlocked = read.into_iter().filter(|name| self.file(name).is_none());
            problems.extend(unlocked.map(|file| Problem::NotLocked { file }));
        }
        problems
    }

    fn verify_extras(
        &self,
        folder: &Path,
        places: &Places,
        hashing: Hashing<'_>,
        problems: &mut Vec<Problem>,
    ) {
        let Ok(pipeline) = Pipeline::read(folder) else {
            return;
        };
        for extra in pipeline.extras(places) {
            let Some(locked) = self.extras.iter().find(|locked| locked.name == extra.name) else {
                continue;
            };
            let file = extra.path.display().to_string();
            match (extra_digest(extra.name, &extra.path, hashing), &locked.digest) {
                (Err(_), _) => problems.push(Problem::LockedFileMissing { file }),
                (Ok(found), expected) if found == *expected => {}
                (Ok(found), expected) => problems.push(Problem::LockedHash {
                    file,
                    found: found.text(),
                    expected: expected.text(),
                }),
            }
        }
    }
}

/// The problem with a file that does not hash to `expected`, as `wrong` makes it of name, found and expected.
fn compare<D: PartialEq + Display>(
    wrong: fn(String, String, String) -> Problem,
    file: &str,
    path: &Path,
    found: io::Result<D>,
    expected: &D,
) -> Option<Problem> {
    match found {
        Ok(found) if found == *expected => None,
        Ok(found) => Some(wrong(file.to_owned(), found.to_string(), expected.to_string())),
        Err(source) => Some(Problem::Unreadable {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Holds files of a snapshot against the digests that their blobs are named by. What is not kept so, such as a
/// copy where links are not possible, is passed over.
pub fn verify_blobs(folder: &Path, files: &[String], on_bytes: OnBytes<'_>) -> Vec<Problem> {
    let wrong = |file, found, expected| Problem::BlobHash {
        file,
        found,
        expected,
    };
    let mut large = Vec::new();
    let mut small = Vec::new();
    for file in files {
        let Ok(blob) = std::fs::canonicalize(folder.join(file)) else {
            continue;
        };
        let name = blob
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if let Ok(digest) = name.parse::<Sha256>() {
            large.push((file, blob, digest));
        } else if name.len() == 40 {
            small.extend(compare(wrong, file, &blob, hash::git_blob_id(&blob), &name));
        }
    }
    let paths: Vec<&PathBuf> = large.iter().map(|(_, blob, _)| blob).collect();
    let digests = hash::sha256_all(&paths, on_bytes);
    let large = large.iter().zip(digests);
    let large = large.filter_map(|((file, blob, name), digest)| compare(wrong, file, blob, digest, name));
    large.chain(small).collect()
}
