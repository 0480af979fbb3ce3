//! Whether the files of a closure are what somebody says they are.
//!
//! Every byte is hashed and held against the database and, where one is given, a binary cache; a path whose name
//! follows from its content is computed again; signatures are checked with the keys that are trusted.
//! Paths are hashed side by side, the largest first, so that no core is left with one at the end.

mod content;
mod problem;

use std::cmp::Reverse;

use nix_compat::narinfo::{self, VerifyingKey};
use nix_compat::nixhash::NixHash;
use nix_compat::store_path::StorePath;
use rayon::prelude::*;
use serde::{Serialize, Serializer, ser::SerializeStruct};

use crate::binary_cache::BinaryCache;
use crate::error::ClosureError;
use crate::nar::{OnBytes, hash_path_with};
use crate::path_info::{PathInfo, Source};
use crate::store::{Closure, Store};

pub use problem::Problem;

/// What a closure is held against, besides the store's own database.
#[derive(Debug, Clone, Copy, Default)]
pub struct Against<'a> {
    /// A binary cache.
    pub cache: Option<&'a BinaryCache>,
    /// Keys whose signatures count.
    pub keys: &'a [VerifyingKey],
    /// Whether a path must be signed by one of them, unless its name follows from its content.
    pub signed: bool,
}

/// Why a path may be believed to be what its name says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "by", content = "keys", rename_all = "snake_case")]
pub enum Trust {
    /// Keys of these names signed it.
    Signature(Vec<String>),
    /// Its name follows from its content.
    Content,
    /// This machine built it, says the database.
    BuiltHere,
    /// Nobody vouches for it.
    Nobody,
}

/// One path, checked.
#[derive(Debug)]
pub struct Checked {
    /// The path.
    pub path: StorePath<String>,
    /// Bytes of its archive, as it lies on disk; 0 where it could not be read.
    pub bytes: u64,
    /// Who vouches for it.
    pub trust: Trust,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
}

impl Serialize for Checked {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Checked", 4)?;
        object.serialize_field("path", &self.path.to_absolute_path())?;
        object.serialize_field("bytes", &self.bytes)?;
        object.serialize_field("trust", &self.trust)?;
        object.serialize_field("problems", &self.problems)?;
        object.end()
    }
}

/// Checks every path of a closure. An error is one of the database or the cache; what is wrong with a path is in
/// its [`Checked`], in the order of the closure.
pub fn verify(
    store: &Store,
    closure: &Closure,
    against: Against<'_>,
    on_bytes: OnBytes<'_>,
) -> Result<Vec<Checked>, ClosureError> {
    let mut order: Vec<usize> = (0..closure.paths.len()).collect();
    order.sort_by_key(|&index| Reverse(closure.paths[index].nar_size));
    let check =
        |index: usize| check(store, &closure.paths[index], against, on_bytes).map(|path| (index, path));
    let checked: Result<Vec<_>, _> = order.into_iter().par_bridge().map(check).collect();
    let mut checked = checked?;
    checked.sort_unstable_by_key(|(index, _)| *index);
    Ok(checked.into_iter().map(|(_, path)| path).collect())
}

fn check(
    store: &Store,
    info: &PathInfo,
    against: Against<'_>,
    on_bytes: OnBytes<'_>,
) -> Result<Checked, ClosureError> {
    let in_cache = against
        .cache
        .map(|cache| cache.info(&info.path))
        .transpose()?
        .flatten();
    let in_database = Some(info).filter(|info| info.source == Source::Database);
    let claims: Vec<&PathInfo> = in_database.into_iter().chain(&in_cache).collect();
    let mut problems = Vec::new();
    if claims.is_empty() {
        problems.push(Problem::NothingSaid);
    }
    let found = on_disk(store, info, on_bytes);
    let bytes = found.as_ref().map_or(0, |(_, bytes)| *bytes);
    match &found {
        Ok((hash, bytes)) => {
            for claim in &claims {
                compare(claim, hash, *bytes, &mut problems);
            }
        }
        Err(problem) => problems.push(problem.clone()),
    }
    let mut trust = Trust::Nobody;
    let mut signers = Vec::new();
    for claim in &claims {
        signed(claim, against.keys, &mut signers, &mut problems);
        if let (Some(ca), Ok((hash, _))) = (&claim.ca, &found) {
            match content::check(&store.real_path(&claim.path), claim, ca, hash) {
                Ok(true) => trust = Trust::Content,
                Ok(false) => {}
                Err(problem) => problems.push(problem),
            }
        }
    }
    if trust == Trust::Nobody && !signers.is_empty() {
        signers.sort();
        signers.dedup();
        trust = Trust::Signature(signers);
    }
    if against.signed && trust == Trust::Nobody {
        problems.push(Problem::NotSigned);
    }
    if trust == Trust::Nobody && info.built_here {
        trust = Trust::BuiltHere;
    }
    problems.dedup();
    Ok(Checked {
        path: info.path.clone(),
        bytes,
        trust,
        problems,
    })
}

/// Hash and size of what lies on disk. A scan has hashed it just now.
fn on_disk(store: &Store, info: &PathInfo, on_bytes: OnBytes<'_>) -> Result<(NixHash, u64), Problem> {
    if info.source == Source::Scan {
        on_bytes(info.nar_size);
        return Ok((info.nar_hash.clone(), info.nar_size));
    }
    let files = store.real_path(&info.path);
    match files.symlink_metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(Problem::Missing),
        _ => hash_path_with(&files, on_bytes).map_err(|error| Problem::unreadable(&error)),
    }
}

fn compare(claim: &PathInfo, hash: &NixHash, bytes: u64, problems: &mut Vec<Problem>) {
    if claim.nar_size != bytes {
        problems.push(Problem::Size {
            found: bytes,
            expected: claim.nar_size,
            by: claim.source,
        });
    }
    if claim.nar_hash != *hash {
        problems.push(Problem::Hash {
            found: hash.to_nix_nixbase32(),
            expected: claim.nar_hash.to_nix_nixbase32(),
            by: claim.source,
        });
    }
}

/// Adds the trusted keys that signed what is claimed; a signature in a trusted key's name that does not verify is a
/// problem.
fn signed(claim: &PathInfo, keys: &[VerifyingKey], signers: &mut Vec<String>, problems: &mut Vec<Problem>) {
    let NixHash::Sha256(nar_sha256) = &claim.nar_hash else {
        return;
    };
    let references: Vec<_> = claim.references.iter().map(StorePath::as_ref).collect();
    let fingerprint = narinfo::fingerprint(
        &claim.path.as_ref(),
        nar_sha256,
        claim.nar_size,
        references.iter(),
    );
    for signature in &claim.signatures {
        let mut of_name = keys
            .iter()
            .filter(|key| key.name() == signature.name())
            .peekable();
        if of_name.peek().is_none() {
            continue;
        }
        let name = signature.name().clone();
        if of_name.any(|key| key.verify(&fingerprint, &signature.as_ref())) {
            signers.push(name);
        } else {
            problems.push(Problem::BadSignature { key: name });
        }
    }
}
