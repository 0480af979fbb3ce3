//! The hub client's cache as it lies on disk.
//!
//! ```text
//! models--ORG--NAME/refs/main                      text: a commit
//! models--ORG--NAME/snapshots/COMMIT/ckpts/x.json  → ../../../blobs/DIGEST
//! models--ORG--NAME/blobs/DIGEST
//! ```
//! Source: the caching guide of `huggingface_hub`. Read only: nothing here writes into a cache.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use serde::Serialize;

use crate::pipeline::PIPELINE_FILE;
use crate::places::Places;
use crate::typo::{self, Missing};

/// A repository's commit in a cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// `ORG/NAME`.
    pub repo: String,
    /// The commit.
    pub revision: String,
    /// Its folder.
    #[serde(skip)]
    pub folder: PathBuf,
}

/// A model folder, and the snapshot that it is, if it lies in a cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// The folder with `pipeline.json`.
    pub folder: PathBuf,
    /// What it is in a hub cache.
    pub snapshot: Option<Snapshot>,
}

trellis_core::explained! {
    /// Why a model cannot be found.
    #[derive(Debug, thiserror::Error)]
    #[expect(missing_docs, reason = "each variant's sentence says what its fields are")]
    pub enum LocateError {
        #[error("`{asked}` is neither a folder nor a repository such as `microsoft/TRELLIS-image-large`")]
        NotAFolder { asked: String } = "not_a_folder", NAME_A_FOLDER;
        #[error("`{asked}` does not exist: `{}` has no `{}`", missing.nearest.display(), missing.part)]
        NoSuchFolder { asked: String, missing: Missing } = "not_a_folder", match &missing.meant {
            Some(meant) => format!("did you mean `{}`?", meant.display()),
            None => NAME_A_FOLDER.to_owned(),
        };
        #[error("repository `{repo}` is not in the cache `{}`", cache.display())]
        NotCached { repo: String, cache: PathBuf } = "not_cached",
            format!("`trellis model fetch {repo}` downloads and verifies it");
        #[error("revision `{revision}` of `{repo}` is not in the cache; it has {}", held.join(", "))]
        RevisionNotCached { repo: String, revision: String, held: Vec<String> } = "revision_not_cached",
            format!("`trellis model fetch {repo} --revision {revision}` downloads it");
    }
}

const NAME_A_FOLDER: &str = "name a folder that has `pipeline.json`; `trellis model list` shows what is here";

/// Finds what `asked` names: a folder, a repository's folder in a cache, or `ORG/NAME` with an optional
/// `@REVISION`. A folder wins over a repository of the same name, as it does in TRELLIS.
pub fn locate(asked: &str, places: &Places) -> Result<Located, LocateError> {
    let asked_path = Path::new(asked);
    // Whoever names the file means its folder.
    let path = match asked_path.parent() {
        Some(parent) if asked_path.ends_with(PIPELINE_FILE) && asked_path.is_file() => {
            if parent.as_os_str().is_empty() {
                Path::new(".")
            } else {
                parent
            }
        }
        _ => asked_path,
    };
    if path.is_dir() {
        // The folder of all snapshots stands for its repository. Moving files in it would break their links.
        let path = match path.parent().filter(|_| path.ends_with("snapshots")) {
            Some(parent) if repo_of(parent).is_some() => parent,
            _ => path,
        };
        let repo_folder = path.join("snapshots").is_dir() && !path.join(PIPELINE_FILE).exists();
        if repo_folder
            && let Some(repo) = repo_of(path)
            && let Some(snapshot) = newest(&repo, path)
        {
            return Ok(Located {
                folder: snapshot.folder.clone(),
                snapshot: Some(snapshot),
            });
        }
        return Ok(Located {
            folder: path.to_owned(),
            snapshot: snapshot_of(path),
        });
    }
    let (repo, revision) = match asked.split_once('@') {
        Some((repo, revision)) => (repo, Some(revision)),
        None => (asked, None),
    };
    let error = if is_repo_id(repo) {
        match find_cached(repo, revision, &places.hub_cache) {
            Err(error @ LocateError::NotCached { .. }) => error,
            found => return found,
        }
    } else {
        LocateError::NotAFolder {
            asked: asked.to_owned(),
        }
    };
    // A word that is no path and like no folder here is told as before.
    let missing = typo::missing(path).filter(|missing| {
        let starts_here = missing.nearest != Path::new(".") || asked.starts_with(['.', '/', '~']);
        missing.meant.is_some() || starts_here
    });
    Err(match missing {
        Some(missing) => LocateError::NoSuchFolder {
            asked: asked.to_owned(),
            missing,
        },
        None => error,
    })
}

/// A repository's snapshot in a cache: the one asked for, else `main`'s, else the one written last.
pub fn find_cached(repo: &str, revision: Option<&str>, cache: &Path) -> Result<Located, LocateError> {
    let folder = repo_folder(cache, repo);
    let snapshots = snapshots(repo, &folder);
    let not_cached = || LocateError::NotCached {
        repo: repo.to_owned(),
        cache: cache.to_owned(),
    };
    let found = match revision {
        None => newest(repo, &folder).ok_or_else(not_cached)?,
        Some(_) if snapshots.is_empty() => return Err(not_cached()),
        Some(revision) => {
            let commit = read_ref(&folder, revision).unwrap_or_else(|| revision.to_owned());
            let held: Vec<String> = snapshots.iter().map(|s| s.revision.clone()).collect();
            let fits = |s: &Snapshot| s.revision == commit || is_abbreviation(&commit, &s.revision);
            snapshots
                .into_iter()
                .find(fits)
                .ok_or_else(|| LocateError::RevisionNotCached {
                    repo: repo.to_owned(),
                    revision: revision.to_owned(),
                    held,
                })?
        }
    };
    Ok(Located {
        folder: found.folder.clone(),
        snapshot: Some(found),
    })
}

/// Every snapshot of every model repository in a cache, by repository.
pub fn all(cache: &Path) -> Vec<Snapshot> {
    let mut found: Vec<Snapshot> = entries(cache)
        .iter()
        .filter_map(|folder| Some(snapshots(&repo_of(folder)?, folder)))
        .flatten()
        .collect();
    found.sort_by(|a, b| (&a.repo, &a.revision).cmp(&(&b.repo, &b.revision)));
    found
}

/// The names, such as `main`, that point to a snapshot.
pub fn refs_to(snapshot: &Snapshot) -> Vec<String> {
    let Some(repo) = snapshot.folder.parent().and_then(Path::parent) else {
        return Vec::new();
    };
    let names = entries(&repo.join("refs")).into_iter().filter_map(|path| {
        let name = path.file_name()?.to_str()?.to_owned();
        (read_ref(repo, &name)? == snapshot.revision).then_some(name)
    });
    names.collect()
}

/// What a path is in a hub cache, told by its last four parts and the folders beside it.
pub fn snapshot_of(path: &Path) -> Option<Snapshot> {
    let path = absolute(path).ok()?;
    let snapshots = path.parent().filter(|p| p.ends_with("snapshots"))?;
    let repo_folder = snapshots.parent()?;
    Some(Snapshot {
        repo: repo_of(repo_folder)?,
        revision: path.file_name()?.to_str()?.to_owned(),
        folder: path.clone(),
    })
}

/// Where a cache keeps a repository.
pub fn repo_folder(cache: &Path, repo: &str) -> PathBuf {
    cache.join(format!("models--{}", repo.replace('/', "--")))
}

/// Whether a text has the form `ORG/NAME` that a hub takes.
pub fn is_repo_id(text: &str) -> bool {
    let good = |part: &str| {
        !part.is_empty()
            && part.len() <= 96
            && part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
            && !part.starts_with(['-', '.'])
            && !part.contains("..")
            && !part.contains("--")
    };
    matches!(text.split_once('/'), Some((owner, name)) if good(owner) && good(name))
}

/// The absolute form without `.` and `..`, links not followed: a snapshot's files are links by design.
fn absolute(path: &Path) -> io::Result<PathBuf> {
    let mut clean = PathBuf::new();
    for part in std::path::absolute(path)?.components() {
        match part {
            Component::ParentDir => {
                clean.pop();
            }
            other => clean.push(other),
        }
    }
    Ok(clean)
}

fn repo_of(folder: &Path) -> Option<String> {
    let name = folder.file_name()?.to_str()?.strip_prefix("models--")?;
    let repo = name.replacen("--", "/", 1);
    is_repo_id(&repo).then_some(repo)
}

fn snapshots(repo: &str, folder: &Path) -> Vec<Snapshot> {
    let folders = entries(&folder.join("snapshots")).into_iter();
    let found = folders.filter(|path| path.is_dir()).filter_map(|path| {
        Some(Snapshot {
            repo: repo.to_owned(),
            revision: path.file_name()?.to_str()?.to_owned(),
            folder: path.clone(),
        })
    });
    found.collect()
}

fn newest(repo: &str, folder: &Path) -> Option<Snapshot> {
    let found = snapshots(repo, folder);
    let main = read_ref(folder, "main");
    let by_ref = found.iter().find(|s| Some(&s.revision) == main.as_ref());
    let by_time = || {
        found
            .iter()
            .max_by_key(|s| fs::metadata(&s.folder).and_then(|m| m.modified()).ok())
    };
    by_ref.or_else(by_time).cloned()
}

fn read_ref(repo_folder: &Path, name: &str) -> Option<String> {
    if name.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return None;
    }
    let text = crate::read::read_small(&repo_folder.join("refs").join(name)).ok()?;
    Some(String::from_utf8(text).ok()?.trim().to_owned())
}

fn is_abbreviation(short: &str, commit: &str) -> bool {
    short.len() >= 7 && short.bytes().all(|b| b.is_ascii_hexdigit()) && commit.starts_with(short)
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(found) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = found.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    paths
}

#[cfg(test)]
mod tests {
    use trellis_core::Explain as _;

    use super::*;

    #[test]
    fn tells_repository_ids_from_other_text() {
        for good in ["microsoft/TRELLIS-image-large", "a/b", "JeffreyXiang/x_y.z"] {
            assert!(is_repo_id(good), "{good}");
        }
        for bad in [
            "x", "a/b/c", "../x", "a/..", "/abs", "a/", "a/b--c", "a b/c", "a/.b",
        ] {
            assert!(!is_repo_id(bad), "{bad}");
        }
    }

    #[test]
    fn finds_main_then_an_asked_revision_and_names_what_is_held() {
        let root = tempfile::tempdir().unwrap();
        let repo = repo_folder(root.path(), "org/name");
        for commit in ["1111111aaa", "2222222bbb"] {
            fs::create_dir_all(repo.join("snapshots").join(commit)).unwrap();
        }
        fs::create_dir_all(repo.join("refs")).unwrap();
        fs::write(repo.join("refs/main"), "1111111aaa").unwrap();
        let revision = |asked| {
            let found = find_cached("org/name", asked, root.path())?;
            Ok::<_, LocateError>(found.snapshot.unwrap().revision)
        };
        assert_eq!(revision(None).unwrap(), "1111111aaa");
        assert_eq!(revision(Some("main")).unwrap(), "1111111aaa");
        assert_eq!(revision(Some("2222222")).unwrap(), "2222222bbb");
        let error = revision(Some("../../etc")).unwrap_err();
        assert_eq!(error.kind(), "revision_not_cached");
        let snapshot = &all(root.path())[0];
        assert_eq!(refs_to(snapshot), ["main"]);
        assert_eq!(snapshot_of(&snapshot.folder).as_ref(), Some(snapshot));
    }
}
