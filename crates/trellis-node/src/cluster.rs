//! This server among those that share its job store: it writes a line about itself every few seconds and reads those of
//! the others ([`Roster`]).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use trellis_backend::{Backend, Registry};
use trellis_core::{BackendChoice, Demand, Failure, Format, Model, Sha256};
use trellis_jobs::{Makers, WorkerName};
use trellis_runner::LocalMakers;
use trellis_store_postgres::PostgresStore;

use crate::SharedStoreError;
use crate::about::About;
use crate::roster::Roster;
use crate::settings::Store;

/// How often a server says that it is there.
const EVERY: Duration = Duration::from_secs(4);

/// Reads what the others have said so far.
pub(crate) async fn join(
    settings: &Store,
    store: PostgresStore,
    name: &WorkerName,
) -> Result<Cluster, SharedStoreError> {
    let known = store.nodes().await.map_err(|source| SharedStoreError::Unusable {
        address: settings.url.clone(),
        source,
    })?;
    let roster = Arc::new(Roster::of(&name.0, known));
    Ok(Cluster { store, roster })
}

/// This server's place among the others.
pub(crate) struct Cluster {
    pub(crate) store: PostgresStore,
    pub(crate) roster: Arc<Roster>,
}

impl Cluster {
    /// Announces this server and listens to the others until it stops. Says whether it was told to start no new jobs.
    pub(crate) async fn run(
        self,
        about: impl Fn(bool) -> About + Send,
        rests: watch::Sender<bool>,
        stopping: CancellationToken,
    ) {
        let mut failing = false;
        loop {
            let told = async {
                let about = about(*rests.borrow());
                self.store.announce(&self.roster.name, &about).await?;
                self.store.nodes().await
            };
            match told.await {
                Ok(nodes) => {
                    failing = false;
                    let drains = nodes
                        .iter()
                        .any(|node| node.name == self.roster.name && node.drains);
                    self.roster.learn(nodes);
                    if rests.send_replace(drains) != drains {
                        info!(drains, "this server was told whether to start new jobs");
                        // Told at once.
                        continue;
                    }
                }
                Err(error) if !failing => {
                    failing = true;
                    warn!(
                        error = &error as &dyn std::error::Error,
                        "cannot hear from the other servers"
                    );
                }
                Err(_) => {}
            }
            tokio::select! {
                () = stopping.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }
}

/// What the job service asks of the backends, answered by those of all servers.
pub(crate) struct ClusterMakers {
    pub(crate) all: LocalMakers,
    pub(crate) here: Registry,
    pub(crate) roster: Arc<Roster>,
}

impl ClusterMakers {
    /// Whether this server has such a backend itself.
    fn is_here(&self, backend: &dyn Backend) -> bool {
        let asked = (backend.choice(), backend.model());
        self.here
            .all()
            .iter()
            .any(|here| (here.choice(), here.model()) == asked)
    }
}

impl Makers for ClusterMakers {
    fn default_model(&self) -> Model {
        self.all.default_model()
    }

    fn made_by(&self, demand: Demand, formats: &[Format]) -> Result<Option<String>, Failure> {
        if demand.backend() == BackendChoice::Export {
            return self.all.made_by(demand, formats);
        }
        let backend = self.all.registry.route(demand, formats).backend()?;
        Ok(if self.is_here(backend.as_ref()) {
            self.all.origin.identity(backend.as_ref())
        } else {
            self.roster.identity(backend.choice(), backend.model())
        })
    }

    fn made_by_with_mesh(&self, demand: Demand, formats: &[Format]) -> Result<Option<String>, Failure> {
        let backend = self.all.registry.route(demand, formats).backend()?;
        Ok(if self.is_here(backend.as_ref()) {
            self.all.origin.identity_with_mesh(backend.as_ref())
        } else {
            self.roster.identity(backend.choice(), backend.model())
        })
    }

    fn textures_meshes(&self, demand: Demand) -> Result<(), Failure> {
        self.all.textures_meshes(demand)
    }

    fn decodes(&self, model: Model, decoder: Sha256) -> bool {
        let is_here = self.here.all().iter().any(|here| here.model() == Some(model));
        is_here && self.all.decodes(model, decoder) || self.roster.decodes(model, decoder)
    }
}
