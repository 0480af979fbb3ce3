//! Moves jobs from one place to another: between the data folder of a server that works alone and stores that servers share.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use trellis_jobs::{BlobStore, Gives, JobStore, Moved, SqliteStore, SweepError, Takes, move_jobs};
use trellis_store_postgres::PostgresStore;

use crate::about::About;
use crate::blob_place::folder;
use crate::data_dir::DataDir;
use crate::roster::SILENT;
use crate::settings::Store;
use crate::{NodeError, Settings, SharedStoreError, keeping};

/// Where jobs and their files are kept.
#[derive(Debug, Clone)]
pub enum JobPlace {
    /// The data folder of a server that works alone.
    Alone(PathBuf),
    /// A store that servers share.
    Shared(Store),
}

/// Moves all jobs and files; nobody may work on those of `from`. Run again, it goes on where it ended. `settings` say how
/// S3-compatible storage is reached.
pub async fn migrate(settings: &Settings, from: &JobPlace, to: &JobPlace) -> Result<Moved, NodeError> {
    if let JobPlace::Alone(root) = from {
        keeping::check_owner(root)?;
    }
    for place in [from, to] {
        if matches!(place, JobPlace::Shared(store) if store.blobs.as_os_str().is_empty()) {
            return Err(SharedStoreError::NoBlobs.into());
        }
    }
    let from = Place::open(settings, from).await?;
    from.rests().await?;
    let to = Place::open(settings, to).await?;
    let moved = move_jobs((from.gives(), &*from.blobs), (to.takes(), &*to.blobs)).await;
    moved.map_err(|error| to.failed(error))
}

enum Opened {
    Alone(SqliteStore),
    Shared(PostgresStore),
}

/// A place, held as long as this lives.
struct Place {
    store: Opened,
    blobs: Arc<dyn BlobStore>,
    /// What people call it.
    name: String,
    /// Where its files are, for people.
    files: String,
    data: DataDir,
    /// What has no data folder of its own has one here.
    _temporary: Option<TempDir>,
}

impl Place {
    async fn open(settings: &Settings, place: &JobPlace) -> Result<Self, NodeError> {
        match place {
            JobPlace::Alone(root) => Self::alone(root),
            JobPlace::Shared(store) => Self::shared(settings, store).await,
        }
    }

    fn alone(root: &Path) -> Result<Self, NodeError> {
        keeping::check_user(root)?;
        let data = DataDir::open(root, true)?;
        Ok(Self {
            store: Opened::Alone(keeping::database(&data.database())?),
            blobs: Arc::new(folder(&data.blobs())?),
            name: root.display().to_string(),
            files: data.blobs().display().to_string(),
            data,
            _temporary: None,
        })
    }

    async fn shared(settings: &Settings, store: &Store) -> Result<Self, NodeError> {
        let temporary = tempfile::tempdir()?;
        let data = DataDir::open(temporary.path(), true)?;
        let settings = Settings {
            store: store.clone(),
            ..settings.clone()
        };
        let kept = keeping::open(&settings, &data).await?;
        Ok(Self {
            store: Opened::Shared(kept.shared.ok_or(SharedStoreError::NotShared)?),
            blobs: kept.blobs,
            name: store.url.clone(),
            files: store.blobs.display().to_string(),
            data,
            _temporary: Some(temporary),
        })
    }

    fn gives(&self) -> &dyn Gives {
        match &self.store {
            Opened::Alone(store) => store,
            Opened::Shared(store) => store,
        }
    }

    fn takes(&self) -> &dyn Takes {
        match &self.store {
            Opened::Alone(store) => store,
            Opened::Shared(store) => store,
        }
    }

    /// Refuses a place where something still happens.
    async fn rests(&self) -> Result<(), NodeError> {
        let failed = |error| self.failed(SweepError::Store(error));
        if let Opened::Shared(store) = &self.store {
            let nodes = store.nodes::<About>().await.map_err(failed)?;
            let heard_of = nodes.into_iter().filter(|node| node.silent_for < SILENT);
            let names: Vec<String> = heard_of.map(|node| node.name).collect();
            if !names.is_empty() {
                let address = self.name.clone();
                return Err(SharedStoreError::InUse { address, names }.into());
            }
        }
        let store: &dyn JobStore = match &self.store {
            Opened::Alone(store) => store,
            Opened::Shared(store) => store,
        };
        let waiting = store.waiting_deliveries().await.map_err(failed)?;
        let messages = waiting.untried + waiting.tried;
        if messages > 0 {
            let place = self.name.clone();
            return Err(SharedStoreError::Undelivered { place, messages }.into());
        }
        Ok(())
    }

    fn failed(&self, error: SweepError) -> NodeError {
        match (error, &self.store) {
            (SweepError::Store(source), Opened::Alone(_)) => NodeError::Database {
                path: self.data.database(),
                source,
            },
            (SweepError::Store(source), Opened::Shared(_)) => SharedStoreError::Unusable {
                address: self.name.clone(),
                source,
            }
            .into(),
            (SweepError::Blob(source), _) => NodeError::Blobs {
                place: self.files.clone(),
                source,
            },
        }
    }
}
