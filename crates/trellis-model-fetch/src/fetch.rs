//! Fetches a model: `pipeline.json` first, then what it names, from its own repository and from others.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::Serialize;
use trellis_models::Reference;
use trellis_models::cache::is_repo_id;
use trellis_models::lock::is_read_by_inference;
use trellis_models::pipeline::{PIPELINE_FILE, Pipeline};

use crate::client::Hub;
use crate::dinov3::{Encoder, EncoderSource};
use crate::error::FetchError;
use crate::layout::{Layout, RepoFolder};
use crate::listing::Entry;
use crate::part::{FetchedFile, Part, fetch_file, known_repo};
use crate::plan::{Planned, check_room};
use crate::progress::Progress;

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
            // Pictures do not need it; `check` says that it is missing.
            _ if pipeline.is_shape_encoder(&named) => {}
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
