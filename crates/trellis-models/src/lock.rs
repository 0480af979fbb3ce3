//! `trellis-model.lock.json`: every file that inference reads, with size and sha256.
//!
//! Holding a folder against it: `lock/verify.rs`. As Nix: `lock/nix.rs`.

mod nix;
mod verify;

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use trellis_core::Sha256;

use crate::cache::{Located, repo_folder};
use crate::extras::Extra;
use crate::hash::{self, Hashing};
use crate::pipeline::{PIPELINE_FILE, Pipeline};
use crate::places::Places;
use crate::read::{ReadError, read_json};
use crate::reference::Reference;
use crate::shape_encoder;
use crate::write::write_atomically;

pub use verify::verify_blobs;

/// The lock's name beside `pipeline.json`.
pub const LOCK_FILE: &str = "trellis-model.lock.json";

/// A locked model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// 1. Another number is a format that this program does not know.
    pub version: Version,
    /// The repository, where it is known.
    pub repo: Option<String>,
    /// Its commit, where it is known.
    pub revision: Option<String>,
    /// The files, by path.
    pub files: Vec<LockedFile>,
    /// What is read besides the folder.
    #[serde(default)]
    pub extras: Vec<LockedExtra>,
}

/// The format's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Version;

impl TryFrom<u32> for Version {
    type Error = String;
    fn try_from(number: u32) -> Result<Self, Self::Error> {
        match number {
            1 => Ok(Self),
            other => Err(format!("unknown lock format {other}: only 1 is supported")),
        }
    }
}

impl From<Version> for u32 {
    fn from(_: Version) -> Self {
        1
    }
}

/// A file of the folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedFile {
    /// Relative to the folder.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// The digest of its bytes.
    pub sha256: Sha256,
}

/// Something besides the folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockedExtra {
    /// `dinov2_code`, `dinov2_weights` or `u2net`.
    pub name: String,
    /// Its digest.
    #[serde(flatten)]
    pub digest: ExtraDigest,
}

/// A file's or a folder's digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ExtraDigest {
    /// One file.
    File {
        /// Bytes.
        size: u64,
        /// The digest of its bytes.
        sha256: Sha256,
    },
    /// A folder.
    Tree {
        /// Nix's hash of it.
        nar_hash: String,
    },
}

trellis_core::explained! {
    /// Why a lock cannot be made.
    #[derive(Debug, thiserror::Error)]
    #[expect(missing_docs, reason = "each variant's sentence says what its fields are")]
    pub enum LockError {
        #[error("the model folder cannot be locked")]
        Pipeline { #[source] source: ReadError } = "pipeline_unreadable", EVERY_FILE;
        #[error("`{}` cannot be locked", path.display())]
        File { path: PathBuf, #[source] source: io::Error } = "unreadable", EVERY_FILE;
    }
}

const EVERY_FILE: &str = "a lock needs every file: `trellis model check` lists what is missing, `trellis model repair` restores it";

/// Hashes a folder's files, and the extras that are there.
pub fn make(folder: &Path, places: &Places, hashing: Hashing<'_>) -> Result<Lock, LockError> {
    let pipeline = Pipeline::read(folder).map_err(|source| LockError::Pipeline { source })?;
    let names = pipeline.files_read(folder);
    let paths: Vec<PathBuf> = names.iter().map(|name| folder.join(name)).collect();
    let mut files = Vec::with_capacity(names.len());
    for ((path, name), digest) in paths
        .iter()
        .zip(names)
        .zip(hash::sha256_all(&paths, hashing.on_bytes))
    {
        let locked = digest.and_then(|sha256| Ok((size(path)?, sha256)));
        let (size, sha256) = locked.map_err(|source| LockError::File {
            path: path.clone(),
            source,
        })?;
        files.push(LockedFile {
            path: name,
            size,
            sha256,
        });
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let extras = lock_extras(&pipeline.extras(places), hashing)?;
    Ok(Lock {
        version: Version,
        repo: None,
        revision: None,
        files,
        extras,
    })
}

fn lock_extras(extras: &[Extra], hashing: Hashing<'_>) -> Result<Vec<LockedExtra>, LockError> {
    let mut locked = Vec::new();
    for extra in extras {
        if !extra.path.is_file() {
            continue;
        }
        let digest = extra_digest(extra.name, &extra.path, hashing).map_err(|source| LockError::File {
            path: extra.path.clone(),
            source,
        })?;
        locked.push(LockedExtra {
            name: extra.name.to_owned(),
            digest,
        });
    }
    Ok(locked)
}

/// The digest of an extra: of its folder where the path is code's entry file.
fn extra_digest(name: &str, path: &Path, hashing: Hashing<'_>) -> io::Result<ExtraDigest> {
    match path.parent() {
        Some(folder) if name == "dinov2_code" => Ok(ExtraDigest::Tree {
            nar_hash: (hashing.folder)(folder)?,
        }),
        _ => Ok(ExtraDigest::File {
            size: size(path)?,
            sha256: hash::sha256(path, hashing.on_bytes)?,
        }),
    }
}

fn size(path: &Path) -> io::Result<u64> {
    Ok(std::fs::metadata(path)?.len())
}

impl Lock {
    /// Reads a lock.
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        let lock: Self = read_json(path)?;
        let malformed = |source| ReadError::Malformed {
            path: path.to_owned(),
            source,
        };
        for file in &lock.files {
            // A lock is text from elsewhere too: it must not make us read outside the folder.
            if Reference::parse(&file.path).is_err() {
                let odd = format!("`{}` is not a path in the folder", file.path);
                return Err(malformed(serde::de::Error::custom(odd)));
            }
        }
        Ok(lock)
    }

    /// Writes it atomically, readable for people and version control.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut text = serde_json::to_string_pretty(self).map_err(io::Error::other)?;
        text.push('\n');
        write_atomically(path, text.as_bytes())
    }

    /// The entry of a file.
    pub fn file(&self, path: &str) -> Option<&LockedFile> {
        self.files.iter().find(|file| file.path == path)
    }

    /// The bytes of all files that it names.
    pub fn bytes(&self) -> u64 {
        let extras = self.extras.iter().map(|extra| match extra.digest {
            ExtraDigest::File { size, .. } => size,
            ExtraDigest::Tree { .. } => 0,
        });
        self.files.iter().map(|file| file.size).chain(extras).sum()
    }
}

impl ExtraDigest {
    fn text(&self) -> String {
        match self {
            Self::File { sha256, .. } => sha256.to_string(),
            Self::Tree { nar_hash } => nar_hash.clone(),
        }
    }
}

/// Where a model's lock lies: beside `pipeline.json`, or for a snapshot of a hub cache, into which nothing is
/// written, in the state folder.
pub fn lock_path(located: &Located, places: &Places) -> PathBuf {
    match &located.snapshot {
        None => located.folder.join(LOCK_FILE),
        Some(snapshot) => repo_folder(&places.state.join("locks"), &snapshot.repo)
            .join(format!("{}.json", snapshot.revision)),
    }
}

/// The names of a repository that inference reads, told by its `pipeline.json`. What the published encoder of shapes is built
/// by is built in, so its configuration, whose digest no public source gives, is not among them.
pub fn is_read_by_inference(name: &str, pipeline: &Pipeline) -> bool {
    let is_of = |reference: &Reference| {
        let is_config = name == reference.config() && reference.as_str() != shape_encoder::NAME;
        is_config || name == reference.weights()
    };
    name == PIPELINE_FILE || pipeline.references().iter().any(is_of)
}
