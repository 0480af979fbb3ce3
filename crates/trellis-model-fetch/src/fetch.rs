//! Fetches a model: `pipeline.json` first, then what it names, from its own repository and from others.

use std::path::PathBuf;

use futures::stream::{self, StreamExt, TryStreamExt};
use serde::Serialize;
use trellis_models::Reference;
use trellis_models::cache::is_repo_id;
use trellis_models::lock::is_read_by_inference;
use trellis_models::pipeline::{PIPELINE_FILE, Pipeline};

use crate::client::Hub;
use crate::error::FetchError;
use crate::file::{How, Wanted};
use crate::layout::{Layout, RepoFolder};
use crate::listing::{Entry, Listing};
use crate::progress::Progress;

/// Files that are fetched at a time; their ranges share the hub's connections.
const FILES_AT_A_TIME: usize = 4;

/// What to fetch.
#[derive(Debug, Clone)]
pub struct Request {
    /// `ORG/NAME`.
    pub repo: String,
    /// A commit, branch or tag.
    pub revision: String,
    /// Every file of the repository, not only what inference reads.
    pub everything: bool,
    /// Where to.
    pub layout: Layout,
}

/// What was fetched.
#[derive(Debug, Clone, Serialize)]
pub struct Fetched {
    /// The folder with `pipeline.json`.
    pub folder: PathBuf,
    /// `ORG/NAME`.
    pub repo: String,
    /// The commit that the revision was.
    pub revision: String,
    /// The files.
    pub files: Vec<FetchedFile>,
    /// Names in pipeline.json that the repository does not have.
    pub missing: Vec<String>,
}

/// One file.
#[derive(Debug, Clone, Serialize)]
pub struct FetchedFile {
    /// Its path in its repository.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// What the hub lists as its digest: sha256 for large files, git's blob id for small ones.
    pub digest: String,
    /// How it came.
    pub how: How,
}

/// Fetches a model.
pub async fn fetch(hub: &Hub, request: &Request, progress: &dyn Progress) -> Result<Fetched, FetchError> {
    let Request { repo, revision, .. } = request;
    let listing = known_repo(hub, repo, revision, progress).await?;
    let repo_folder = RepoFolder::new(&request.layout, repo, &listing.commit, false);
    let no_pipeline = || FetchError::NoPipeline { repo: repo.clone() };
    let first = listing.file(PIPELINE_FILE).ok_or_else(no_pipeline)?;
    let mut files = vec![fetch_file(hub, &repo_folder, first, progress).await?];
    let pipeline = Pipeline::read(&repo_folder.folder).map_err(|source| FetchError::Pipeline {
        repo: repo.clone(),
        source,
    })?;
    let wanted = |entry: &&Entry| {
        let read = request.everything || is_read_by_inference(&entry.path, &pipeline);
        read && entry.path != PIPELINE_FILE
    };
    let entries: Vec<&Entry> = listing.files.iter().filter(wanted).collect();
    files.extend(fetch_listed(hub, &repo_folder, &entries, progress).await?);
    repo_folder.finish(revision)?;

    let mut missing = Vec::new();
    for reference in pipeline.references() {
        match reference.other_repo() {
            _ if listing.file(&reference.weights()).is_some() => {}
            Some((other, inner)) if is_repo_id(&other) => {
                files.extend(fetch_other(hub, &request.layout, &other, &inner, progress).await?);
            }
            _ => missing.push(reference.as_str().to_owned()),
        }
    }
    Ok(Fetched {
        folder: repo_folder.folder,
        repo: repo.clone(),
        revision: listing.commit,
        files,
        missing,
    })
}

/// Fetches the two files of a checkpoint of another repository to where the loader looks for them.
async fn fetch_other(
    hub: &Hub,
    layout: &Layout,
    repo: &str,
    name: &Reference,
    progress: &dyn Progress,
) -> Result<Vec<FetchedFile>, FetchError> {
    let revision = "main";
    let listing = known_repo(hub, repo, revision, progress).await?;
    let repo_folder = RepoFolder::new(layout, repo, &listing.commit, true);
    let entries = named(&listing, repo, &[name.config(), name.weights()])?;
    let files = fetch_listed(hub, &repo_folder, &entries, progress).await?;
    repo_folder.finish(revision)?;
    Ok(files)
}

/// Fetches single files of a repository, by their paths.
pub async fn fetch_files(
    hub: &Hub,
    request: &Request,
    paths: &[String],
    progress: &dyn Progress,
) -> Result<Vec<FetchedFile>, FetchError> {
    let Request { repo, revision, .. } = request;
    let listing = known_repo(hub, repo, revision, progress).await?;
    let repo_folder = RepoFolder::new(&request.layout, repo, &listing.commit, false);
    let entries = named(&listing, repo, paths)?;
    fetch_listed(hub, &repo_folder, &entries, progress).await
}

fn named<'a>(listing: &'a Listing, repo: &str, paths: &[String]) -> Result<Vec<&'a Entry>, FetchError> {
    let find = |path: &String| {
        listing.file(path).ok_or_else(|| FetchError::NotFound {
            place: format!("{path} in {repo}"),
        })
    };
    paths.iter().map(find).collect()
}

async fn known_repo(
    hub: &Hub,
    repo: &str,
    revision: &str,
    progress: &dyn Progress,
) -> Result<Listing, FetchError> {
    // Both become parts of addresses and of paths.
    if !is_repo_id(repo) || Reference::parse(revision).is_err() {
        let place = format!("{repo} at {revision}");
        return Err(FetchError::NotFound { place });
    }
    hub.list(repo, revision, progress).await
}

async fn fetch_listed(
    hub: &Hub,
    repo_folder: &RepoFolder,
    entries: &[&Entry],
    progress: &dyn Progress,
) -> Result<Vec<FetchedFile>, FetchError> {
    let tasks = entries
        .iter()
        .map(|entry| fetch_file(hub, repo_folder, entry, progress));
    stream::iter(tasks)
        .buffer_unordered(FILES_AT_A_TIME)
        .try_collect()
        .await
}

async fn fetch_file(
    hub: &Hub,
    repo_folder: &RepoFolder,
    entry: &Entry,
    progress: &dyn Progress,
) -> Result<FetchedFile, FetchError> {
    let wanted = Wanted {
        name: entry.path.clone(),
        url: hub.file_address(&repo_folder.repo, &repo_folder.commit, &entry.path),
        place: repo_folder.place(entry),
        size: Some(entry.size),
        digest: entry.digest.clone(),
    };
    let how = hub.download(&wanted, progress).await?;
    repo_folder.show(entry)?;
    Ok(FetchedFile {
        path: entry.path.clone(),
        size: entry.size,
        digest: entry.digest.text().unwrap_or_default().to_owned(),
        how,
    })
}
