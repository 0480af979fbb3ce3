//! Makes assets in this process, with a backend and no store.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use trellis_backend::{Backend, Registry, Request};
use trellis_core::{BackendChoice, Failure, FailureKind, Format, JobId};

use super::engine::{Asset, Order};
use super::show::JobShow;
use super::trouble::Trouble;

/// A chosen backend.
pub(crate) struct Here {
    backend: Arc<dyn Backend>,
    reason: String,
}

impl fmt::Debug for Here {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Here")
            .field("backend", &self.backend.capabilities().name)
            .finish_non_exhaustive()
    }
}

impl Here {
    /// Chooses among what this machine has.
    pub(crate) fn choose(
        registry: &Registry,
        choice: BackendChoice,
        formats: &[Format],
    ) -> Result<Self, Failure> {
        let chosen = registry.choose(choice, formats)?;
        Ok(Self {
            backend: chosen.backend,
            reason: chosen.reason,
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
    ) -> Result<Asset, Trouble> {
        let params = order.patch.resolve(rand::random()).map_err(|error| Trouble {
            kind: "invalid_parameter".to_owned(),
            message: error.to_string(),
            fix: "give a value in the range that is named".to_owned(),
        })?;
        let scratch =
            tempfile::tempdir().map_err(|error| Trouble::unwritable(&std::env::temp_dir(), &error))?;
        let job = JobId::new(Timestamp::now(), rand::random());
        let request = Request {
            job,
            attempt: 1,
            pictures: order.pictures.clone(),
            params: params.clone(),
            scratch: scratch.path().to_owned(),
        };
        let made = self.backend.generate(request, show, stopping.child_token()).await;
        if stopping.is_cancelled() {
            return Err(Trouble::interrupted());
        }
        let output = made?;
        let mut files = Vec::new();
        for format in &params.formats {
            let file = output.files.iter().find(|file| file.format == *format);
            let file = file.ok_or_else(|| missing(*format, self.backend.capabilities().name))?;
            files.push((*format, file.content.clone()));
        }
        Ok(Asset {
            job,
            made_by: self.backend.capabilities().name.to_owned(),
            params,
            notes: output.notes,
            files,
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
