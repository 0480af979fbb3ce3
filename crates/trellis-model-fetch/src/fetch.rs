//! Fetches a model: `pipeline.json` first, then what it names, from its own repository and from others.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use futures::stream::{self, StreamExt, TryStreamExt};
use serde::Serialize;
use trellis_models::Reference;
use trellis_models::cache::is_repo_id;
use trellis_models::lock::is_read_by_inference;
use trellis_models::pipeline::{PIPELINE_FILE, Pipeline};

use crate::client::Hub;
use crate::dinov3::{Encoder, EncoderSource};
use crate::error::FetchError;
use crate::file::{How, Wanted};
use crate::layout::{Layout, RepoFolder};
use crate::listing::{Entry, Listing};
use crate::plan::{self, Planned, check_room};
use crate::progress::Progress;
use crate::source::Source;

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
    /// What TRELLIS.2's picture encoder is made of.
    pub encoder: EncoderSource,
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

/// A model that is about to be fetched: everything is listed, and only `pipeline.json` is here.
pub struct Prepared {
    request: Request,
    pipeline: Pipeline,
    first: FetchedFile,
    /// The model's own repository first, then those that it refers to.
    parts: Vec<Part>,
    encoder: Option<Encoder>,
    missing: Vec<String>,
}

/// Lists what a model needs and fetches its `pipeline.json`.
pub async fn prepare(hub: &Hub, request: Request, progress: &dyn Progress) -> Result<Prepared, FetchError> {
    let Request { repo, revision, .. } = &request;
    let listing = known_repo(hub, repo, revision, progress).await?;
    let repo_folder = RepoFolder::new(&request.layout, repo, &listing.commit, false);
    let no_pipeline = || FetchError::NoPipeline { repo: repo.clone() };
    let first = listing.file(PIPELINE_FILE).ok_or_else(no_pipeline)?;
    let first = fetch_file(hub, &repo_folder, first, progress).await?;
    let pipeline = Pipeline::read(&repo_folder.folder).map_err(|source| FetchError::Pipeline {
        repo: repo.clone(),
        source,
    })?;
    let encoder = match (&request.layout, pipeline.is_trellis2()) {
        (_, false) => None,
        (Layout::Folder(folder), true) => {
            Some(Encoder::prepare(hub, &request.encoder, folder, progress).await?)
        }
        (Layout::Cache(_), true) => return Err(FetchError::FolderNeeded { repo: repo.clone() }),
    };
    let wanted = |entry: &&Entry| {
        let read = request.everything || is_read_by_inference(&entry.path, &pipeline);
        read && entry.path != PIPELINE_FILE
    };
    let entries = listing.files.iter().filter(wanted).cloned().collect();
    let mut parts = vec![Part {
        place: repo_folder,
        revision: revision.clone(),
        entries,
    }];
    let mut missing = Vec::new();
    let texts: BTreeSet<&String> = pipeline.loaded().map(|(_, text)| text).collect();
    for named in texts.into_iter().filter_map(|text| Reference::parse(text).ok()) {
        match named.other_repo() {
            _ if listing.file(&named.weights()).is_some() => {}
            Some((other, inner)) if is_repo_id(&other) => {
                parts.push(
                    Part::of_checkpoint(hub, &request.layout, (&other, &inner), &pipeline, progress).await?,
                );
            }
            _ => missing.push(named.as_str().to_owned()),
        }
    }
    Ok(Prepared {
        request,
        pipeline,
        first,
        parts,
        encoder,
        missing,
    })
}

impl Prepared {
    /// What will be fetched.
    pub fn planned(&self) -> Vec<Planned> {
        let parts = self.parts.iter().map(Part::planned);
        parts
            .chain(self.encoder.as_ref().and_then(Encoder::planned))
            .collect()
    }

    /// The pipeline that was read.
    pub fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// Fetches it.
    pub async fn fetch(self, hub: &Hub, progress: &dyn Progress) -> Result<Fetched, FetchError> {
        let mut files = vec![self.first];
        for part in &self.parts {
            files.extend(part.fetch(hub, progress).await?);
        }
        if let Some(encoder) = &self.encoder {
            files.push(encoder.bring(hub, progress).await?);
        }
        let own = &self.parts[0].place;
        Ok(Fetched {
            folder: own.folder.clone(),
            revision: own.commit.clone(),
            repo: self.request.repo,
            files,
            missing: self.missing,
        })
    }
}

/// Fetches a model, if there is room for all of it.
pub async fn fetch(hub: &Hub, request: &Request, progress: &dyn Progress) -> Result<Fetched, FetchError> {
    let prepared = prepare(hub, request.clone(), progress).await?;
    check_room(&prepared.planned())?;
    prepared.fetch(hub, progress).await
}

/// Files of one repository.
pub(crate) struct Part {
    place: RepoFolder,
    /// As it was asked for.
    revision: String,
    entries: Vec<Entry>,
}

impl Part {
    /// The two files of a checkpoint of another repository, for where the loader looks for them: by that repository's
    /// name, or of TRELLIS.2 beside the others.
    async fn of_checkpoint(
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

/// Fetches single files of a repository, by their paths.
pub async fn fetch_files(
    hub: &Hub,
    request: &Request,
    paths: &[String],
    progress: &dyn Progress,
) -> Result<Vec<FetchedFile>, FetchError> {
    let at = (request.repo.as_str(), request.revision.as_str());
    let part = Part::of_files(hub, &request.layout, at, paths, progress).await?;
    part.fetch(hub, progress).await
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
