//! Files of one repository: listed, told of, and brought to their places.

use std::path::Path;

use futures::stream::{self, StreamExt, TryStreamExt};
use serde::Serialize;
use trellis_models::Reference;
use trellis_models::cache::is_repo_id;
use trellis_models::pipeline::Pipeline;

use crate::client::Hub;
use crate::error::FetchError;
use crate::file::{How, Wanted};
use crate::layout::{Layout, RepoFolder};
use crate::listing::{Entry, Listing};
use crate::plan::{self, Planned};
use crate::progress::Progress;
use crate::source::Source;

/// Files that are fetched at a time; their ranges share the hub's connections.
const FILES_AT_A_TIME: usize = 4;

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

/// Files of one repository.
pub(crate) struct Part {
    pub(crate) place: RepoFolder,
    /// As it was asked for.
    pub(crate) revision: String,
    pub(crate) entries: Vec<Entry>,
}

impl Part {
    /// The two files of a checkpoint of another repository, for where the loader looks for them: by that repository's
    /// name, or of TRELLIS.2 beside the others.
    pub(crate) async fn of_checkpoint(
        hub: &Hub,
        layout: &Layout,
        (repo, name): (&str, &Reference),
        pipeline: &Pipeline,
        progress: &dyn Progress,
    ) -> Result<Self, FetchError> {
        let Source { repo, revision } = Source::or_pinned(Some(repo), None);
        let listing = known_repo(hub, &repo, &revision, progress).await?;
        let place = RepoFolder::new(layout, &repo, &listing.commit, !pipeline.is_trellis2());
        Self::listed(&listing, place, revision, &[name.config(), name.weights()])
    }

    /// Files of a repository at a revision, by their paths.
    pub(crate) async fn of_files(
        hub: &Hub,
        layout: &Layout,
        (repo, revision): (&str, &str),
        paths: &[String],
        progress: &dyn Progress,
    ) -> Result<Self, FetchError> {
        let listing = known_repo(hub, repo, revision, progress).await?;
        let place = RepoFolder::new(layout, repo, &listing.commit, false);
        Self::listed(&listing, place, revision.to_owned(), paths)
    }

    fn listed(
        listing: &Listing,
        place: RepoFolder,
        revision: String,
        paths: &[String],
    ) -> Result<Self, FetchError> {
        let find = |path: &String| {
            let not_found = || FetchError::NotFound {
                place: format!("{path} in {}", place.repo),
            };
            listing.file(path).cloned().ok_or_else(not_found)
        };
        let entries = paths.iter().map(find).collect::<Result<_, _>>()?;
        Ok(Self {
            place,
            revision,
            entries,
        })
    }

    /// The folder that has the files under their names.
    pub(crate) fn folder(&self) -> &Path {
        &self.place.folder
    }

    /// Refuses a hub that lists another digest than the pinned one.
    pub(crate) fn must_list(&self, path: &str, sha256: Option<&str>) -> Result<(), FetchError> {
        let Some(expected) = sha256 else { return Ok(()) };
        let mut listed = self.entries.iter().filter(|entry| entry.path == path);
        match listed.find(|entry| entry.digest.text() != Some(expected)) {
            None => Ok(()),
            Some(entry) => Err(FetchError::WrongDigest {
                file: entry.path.clone(),
                found: entry.digest.text().unwrap_or_default().to_owned(),
                expected: expected.to_owned(),
            }),
        }
    }

    pub(crate) fn planned(&self) -> Planned {
        let entries = self.entries.iter();
        let left = |entry: &Entry| plan::left(&self.place.place(entry), &entry.digest, entry.size);
        Planned {
            from: self.place.repo.clone(),
            files: self.entries.len(),
            bytes: entries.clone().map(|entry| entry.size).sum(),
            left: entries.map(left).sum(),
            licence: plan::licence_of(&self.place.repo),
            to: self.place.folder.clone(),
        }
    }

    pub(crate) async fn fetch(
        &self,
        hub: &Hub,
        progress: &dyn Progress,
    ) -> Result<Vec<FetchedFile>, FetchError> {
        let entries = self.entries.iter();
        let tasks = entries.map(|entry| fetch_file(hub, &self.place, entry, progress));
        let files = stream::iter(tasks)
            .buffer_unordered(FILES_AT_A_TIME)
            .try_collect()
            .await?;
        self.place.finish(&self.revision)?;
        Ok(files)
    }
}

pub(crate) async fn known_repo(
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

pub(crate) async fn fetch_file(
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
