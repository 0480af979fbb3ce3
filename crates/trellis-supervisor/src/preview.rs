//! Something to look at until the real asset is there: the embedded backend's GLB, made beside the job.

use std::path::Path;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tracing::debug;
use trellis_backend::{Backend, Made, Reporter, Request};
use trellis_core::{Format, Progress};

/// The name of the preview's file.
const NAME: &str = "preview.glb";

/// Takes no reports: the job's progress is the real one's.
struct Silent;

impl Reporter for Silent {
    fn progress(&self, _: Progress) {}
    fn preview(&self, _: Made) {}
}

/// Makes a preview and reports it. A failure is no concern of the job: the real backend will say more.
pub(crate) async fn preview(
    backend: &Arc<dyn Backend>,
    request: &Request,
    reporter: &dyn Reporter,
    cancel: &CancellationToken,
) {
    let mut request = request.clone();
    request.params.formats = vec![Format::Glb];
    // One picture is enough, and backends may refuse more.
    request.pictures.truncate(1);
    request.scratch = request.scratch.join("preview");
    if let Err(error) = create(&request.scratch).await {
        debug!(%error, "no folder for a preview");
        return;
    }
    match backend.generate(request, &Silent, cancel.child_token()).await {
        Ok(output) => {
            if let Some(file) = output.files.into_iter().find(|file| file.format == Format::Glb) {
                reporter.preview(Made {
                    name: NAME.to_owned(),
                    ..file
                });
            }
        }
        Err(failure) => debug!(
            kind = failure.kind.name(),
            message = failure.message,
            "no preview"
        ),
    }
}

async fn create(folder: &Path) -> std::io::Result<()> {
    tokio::fs::create_dir_all(folder).await
}
