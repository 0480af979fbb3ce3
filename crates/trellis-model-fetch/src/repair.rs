//! Repairs a model folder with what the hub has: which repository a missing file comes from, when it may be
//! downloaded, and what is done where the hub cannot be reached.
//!
//! What a plan is and how it is applied and undone: `trellis_models::repair`.

use tempfile::TempDir;
use trellis_core::Explain as _;
use trellis_models::check::check;
use trellis_models::repair::{Change, Options, Plan, Remedy, RepairError, apply, plan};
use trellis_models::{Located, Places, Problem, Severity, shape_encoder};

use crate::client::Hub;
use crate::dinov3::EncoderSource;
use crate::error::FetchError;
use crate::fetch::{Request, fetch_files};
use crate::layout::Layout;
use crate::progress::Progress;
use crate::settings::Settings;
use crate::source::Source;

/// A repair of one folder.
#[derive(Debug)]
pub struct Repair<'a> {
    /// The folder.
    pub located: &'a Located,
    /// Where caches and locks are.
    pub places: &'a Places,
    /// Where missing files come from.
    pub source: Source,
    /// The hub; nothing is downloaded where it is offline.
    pub hub: Settings,
    /// What the person allows. `repo` is set by [`Repair::allow_download`].
    pub options: Options,
}

/// A repair that was made.
#[derive(Debug)]
pub struct Repaired {
    /// What was done.
    pub plan: Plan,
    /// The files that changed.
    pub changed: Vec<Change>,
    /// Why nothing was downloaded, where a substitute was used instead.
    pub unreachable: Option<FetchError>,
}

/// Why a repair was not made.
#[derive(Debug, thiserror::Error)]
pub enum RepairFailure {
    /// A file cannot be downloaded.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The folder cannot be repaired.
    #[error(transparent)]
    Repair(#[from] RepairError),
}

impl Repair<'_> {
    /// Lets missing files be downloaded, unless the environment forbids it. Known before anything is planned, so
    /// that a dry run promises no download that will not come, and a substitute is offered.
    pub fn allow_download(&mut self) {
        self.options.repo = (!self.hub.offline).then(|| self.source.repo.clone());
    }

    /// What would be done. Changes nothing.
    pub fn plan(&self) -> Result<Plan, RepairError> {
        plan(self.located, &self.options, self.places)
    }

    /// What `check` calls an error in a folder for which `plan` has nothing to do.
    pub fn left(&self, plan: &Plan) -> Vec<Problem> {
        if !plan.remedies.is_empty() || !plan.unsolved.is_empty() {
            return Vec::new();
        }
        let problems = check(self.located, self.places).problems;
        let is_error = |problem: &Problem| problem.severity() == Severity::Error;
        problems.into_iter().filter(is_error).collect()
    }

    /// Downloads and applies. Where the hub cannot be reached nothing else helps: only then a substitute is used,
    /// if the person allows one.
    pub async fn carry_out(&self, planned: Plan, progress: &dyn Progress) -> Result<Repaired, RepairFailure> {
        // Kept until the repair is made.
        let staging;
        let mut unreachable = None;
        let plan = match self.download(&planned, progress).await {
            Ok(None) => planned,
            Ok(Some(fetched)) => {
                staging = fetched;
                planned.with_fetched(staging.path())
            }
            Err(RepairFailure::Fetch(error)) => {
                let without = Options {
                    repo: None,
                    ..self.options.clone()
                };
                let substitute = plan(self.located, &without, self.places)?;
                if substitute.substitution().is_none() {
                    return Err(error.into());
                }
                unreachable = Some(error);
                substitute
            }
            Err(other) => return Err(other),
        };
        Ok(Repaired {
            changed: apply(&plan)?,
            plan,
            unreachable,
        })
    }

    /// Downloads what the plan asks for into a folder beside the target, so on its disk; `None` if there is
    /// nothing to download.
    async fn download(&self, plan: &Plan, progress: &dyn Progress) -> Result<Option<TempDir>, RepairFailure> {
        let wanted = plan.remedies.iter().filter_map(|remedy| match remedy {
            Remedy::Fetch { repo, remote, .. } => Some((repo, remote)),
            _ => None,
        });
        let wanted: Vec<_> = wanted.collect();
        if wanted.is_empty() {
            return Ok(None);
        }
        let staging = staging(plan)?;
        let hub = Hub::new(self.hub.clone())?;
        for (repo, remote) in wanted {
            let revision = if *repo == self.source.repo {
                &self.source.revision
            } else {
                "main"
            };
            let request = Request {
                repo: repo.clone(),
                revision: revision.to_owned(),
                everything: false,
                layout: Layout::Folder(staging.path().to_owned()),
                encoder: EncoderSource::published(),
            };
            let config = format!("{remote}.json");
            let mut files = vec![format!("{remote}.safetensors")];
            // The encoder of shapes needs none: only one that is there may be damaged.
            if remote != shape_encoder::NAME || plan.folder.join(&config).exists() {
                files.push(config);
            }
            fetch_files(&hub, &request, &files, progress).await?;
        }
        Ok(Some(staging))
    }
}

fn staging(plan: &Plan) -> Result<TempDir, FetchError> {
    let target = std::path::absolute(&plan.target).unwrap_or_else(|_| plan.target.clone());
    let mut above = target.ancestors().skip(1);
    let folder = above.find(|path| path.is_dir()).unwrap_or(&target);
    TempDir::with_prefix_in(".trellis-repair-", folder).map_err(|source| FetchError::Write {
        path: folder.to_owned(),
        source,
    })
}
