//! Makes assets in this process, with a backend and no store; says of each what made it, as a server does.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use trellis_backend::{Backend, Finishing, Made, Origin, Pictures, Registry, Request};
use trellis_core::{BackendChoice, Demand, Failure, FailureKind, JobId, Model, Params, ParamsPatch, Sha256};

use super::asset::{Asset, Order, Stated, interrupted};
use super::pieces::pieces;
use super::show::JobShow;
use super::write;
use crate::error::CliError;

/// A chosen backend.
pub(crate) struct Local {
    backend: Arc<dyn Backend>,
    reason: String,
    /// Of assets for which none is named.
    default_model: Model,
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
    /// Chooses among what this machine has; `textures`: a given mesh is to be textured.
    pub(crate) fn choose(
        registry: &Registry,
        choice: BackendChoice,
        patch: &ParamsPatch,
        textures: bool,
        origin: Arc<Origin>,
    ) -> Result<Self, CliError> {
        let default_model = registry.default_model();
        let params = resolved(&patch.clone().or_model(default_model))?;
        let demand = Demand::new(choice, params.model.model());
        let backend = registry.route(demand, &params.formats).backend()?;
        if textures {
            backend.textures_meshes()?;
        }
        Ok(Self {
            reason: registry.reason(demand, &params.formats, &backend),
            backend,
            default_model,
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
        let params = resolved(&order.patch.clone().or_model(self.default_model))?;
        let scratch =
            tempfile::tempdir().map_err(|error| write::unwritable(&std::env::temp_dir(), &error))?;
        let started_at = Timestamp::now();
        let job = JobId::new(started_at, rand::random());
        let request = Request {
            job,
            attempt: 1,
            pictures: order.pictures.clone(),
            mesh: order.mesh.clone(),
            source: None,
            latents: trellis_backend::Latents::Forget,
            name: order.name.clone().unwrap_or_default(),
            params: params.clone(),
            traceparent: None,
            scratch: scratch.path().to_owned(),
        };
        let made = self.backend.generate(request, show, stopping.child_token()).await;
        if stopping.is_cancelled() {
            return Err(interrupted());
        }
        let output = made?;
        let finishing = Finishing {
            job,
            began_at: started_at,
            pictures: Pictures {
                sha256: digests(order.pictures.iter().chain(&order.mesh).cloned().collect()).await?,
                source: None,
                name: order.name.clone(),
            },
            params: params.clone(),
            scratch: scratch.path().to_owned(),
        };
        let names = order.names.clone();
        let shape = move |made: Made| pieces(made.format, &made.content, &names);
        let backend = self.backend.as_ref();
        let finished = self.origin.finish(backend, finishing, output, shape).await?;
        Ok(Asset {
            job,
            made_by: self.backend.capabilities().name.to_owned(),
            about: self.backend.capabilities().description.to_owned(),
            params,
            notes: finished.notes,
            files: finished.files.into_iter().map(|file| file.piece).collect(),
            timings: Some(finished.timings),
            provenance: Some(finished.provenance),
            stated: finished.statement.map(|text| Stated {
                ending: text.ending.to_owned(),
                bytes: text.bytes.into(),
                signed_by: text.signed_by,
            }),
            cached: false,
            _scratch: Some(scratch),
        })
    }
}

fn resolved(patch: &ParamsPatch) -> Result<Params, CliError> {
    patch.resolve(rand::random()).map_err(|error| {
        CliError::usage(error)
            .kind("invalid_parameter")
            .hint("`trellis generate --help` lists every range, and which parameters are of one model alone (`--model-name`)")
    })
}

async fn digests(pictures: Vec<Bytes>) -> Result<Vec<Sha256>, Failure> {
    let digests = tokio::task::spawn_blocking(move || pictures.iter().map(Sha256::of).collect());
    digests
        .await
        .map_err(|_| Failure::new(FailureKind::Internal, "reading the pictures crashed"))
}
