//! Makes assets in this process, with a backend and no store; says of each what made it, as a server does.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use trellis_backend::{Backend, Content, Origin, Pictures, Registry, Request};
use trellis_core::{BackendChoice, Failure, FailureKind, Format, JobId, Provenance, Sha256};
use trellis_provenance::Run;

use super::asset::{Asset, Order, Stated, interrupted};
use super::pieces::pieces;
use super::show::JobShow;
use super::stamp::{Stamped, stamped};
use super::write;
use crate::error::CliError;

/// A chosen backend.
pub(crate) struct Local {
    backend: Arc<dyn Backend>,
    reason: String,
    origin: Arc<Origin>,
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local")
            .field("backend", &self.backend.capabilities().name)
            .finish_non_exhaustive()
    }
}

impl Local {
    /// Chooses among what this machine has.
    pub(crate) fn choose(
        registry: &Registry,
        choice: BackendChoice,
        formats: &[Format],
        origin: Arc<Origin>,
    ) -> Result<Self, Failure> {
        let backend = registry.route(choice, formats).backend()?;
        Ok(Self {
            reason: registry.reason(choice, formats, &backend),
            backend,
            origin,
        })
    }

    pub(crate) fn introduction(&self) -> String {
        let capabilities = self.backend.capabilities();
        format!(
            "backend: {}, {} ({})",
            capabilities.name, capabilities.description, self.reason
        )
    }

    pub(crate) fn slots(&self) -> usize {
        self.backend.capabilities().slots
    }

    pub(crate) async fn make(
        &self,
        order: &Order,
        show: &JobShow<'_>,
        stopping: &CancellationToken,
    ) -> Result<Asset, CliError> {
        let params = order.patch.resolve(rand::random()).map_err(|error| {
            CliError::usage(error)
                .kind("invalid_parameter")
                .hint("give a value in the range that is named")
        })?;
        let scratch =
            tempfile::tempdir().map_err(|error| write::unwritable(&std::env::temp_dir(), &error))?;
        let started_at = Timestamp::now();
        let job = JobId::new(started_at, rand::random());
        let request = Request {
            job,
            attempt: 1,
            pictures: order.pictures.clone(),
            name: order.name.clone().unwrap_or_default(),
            params: params.clone(),
            scratch: scratch.path().to_owned(),
        };
        let made = self.backend.generate(request, show, stopping.child_token()).await;
        if stopping.is_cancelled() {
            return Err(interrupted());
        }
        let output = made?;
        let mut files = Vec::new();
        for format in &params.formats {
            let file = output.files.iter().find(|file| file.format == *format);
            let file = file.ok_or_else(|| missing(*format, self.backend.capabilities().name))?;
            files.push((*format, file.content.clone()));
        }
        let from = Pictures {
            sha256: digests(order.pictures.clone()).await?,
            name: order.name.clone(),
        };
        let backend = self.backend.as_ref();
        let provenance = self.origin.provenance(backend, from, &params, &output.made_with);
        let stamped = finish(
            files,
            order.names.clone(),
            provenance.clone(),
            scratch.path().to_owned(),
        )
        .await?;
        let run = Run {
            id: job.to_string(),
            started_at,
            finished_at: Timestamp::now(),
        };
        let text = self.origin.statement(&stamped.subjects, &provenance, &run);
        Ok(Asset {
            job,
            made_by: self.backend.capabilities().name.to_owned(),
            about: self.backend.capabilities().description.to_owned(),
            params,
            notes: output.notes.into_iter().chain(stamped.notes).collect(),
            files: stamped.files,
            timings: Some(output.timings),
            provenance: Some(provenance),
            stated: text.map(|text| Stated {
                ending: text.ending.to_owned(),
                bytes: text.bytes.into(),
                signed_by: text.signed_by,
            }),
            cached: false,
            _scratch: Some(scratch),
        })
    }
}

/// A backend that does not keep its word.
fn missing(format: Format, backend: &str) -> Failure {
    Failure::new(
        FailureKind::Internal,
        format!("the backend `{backend}` made no file of the format {format}"),
    )
}

async fn digests(pictures: Vec<Bytes>) -> Result<Vec<Sha256>, Failure> {
    let digests =
        tokio::task::spawn_blocking(move || pictures.iter().map(|picture| Sha256::of(picture)).collect());
    digests.await.map_err(|_| broken())
}

async fn finish(
    files: Vec<(Format, Content)>,
    names: Vec<(Format, String)>,
    provenance: Provenance,
    scratch: PathBuf,
) -> Result<Stamped, Failure> {
    let done = tokio::task::spawn_blocking(move || {
        let mut all = Vec::new();
        for (format, content) in files {
            all.extend(pieces(format, &content, &names)?);
        }
        stamped(all, &provenance, &scratch).map_err(|error| {
            let message = format!("a file of the backend cannot be read: {error}");
            Failure::new(FailureKind::Internal, message)
        })
    });
    done.await.map_err(|_| broken())?
}

fn broken() -> Failure {
    Failure::new(FailureKind::Internal, "reading the files broke off: a defect")
}
