//! Moves the jobs of a server that worked alone into the store that the settings name.

use std::path::Path;

use trellis_jobs::{FolderBlobs, JobStore as _, Moved, SqliteStore, SweepError, move_jobs};

use crate::blob_place::folder;
use crate::data_dir::DataDir;
use crate::{NodeError, Settings, SharedStoreError, keeping, shared_store};

/// Moves all jobs and files of the data folder `from`, whose server must be stopped. Run again, it goes on where it ended.
pub async fn migrate(settings: &Settings, from: &Path) -> Result<Moved, NodeError> {
    shared_store::check(settings)?;
    let (data, store, blobs) = source(from)?;
    let unusable = |source| NodeError::Database {
        path: data.database(),
        source,
    };
    let waiting = store.waiting_deliveries().await.map_err(unusable)?;
    let messages = waiting.untried + waiting.tried;
    if messages > 0 {
        let root = from.to_owned();
        return Err(SharedStoreError::Undelivered { root, messages }.into());
    }
    let to = keeping::open(settings, &data).await?;
    let target = to.shared.as_ref().ok_or(SharedStoreError::NotShared)?;
    let moved = move_jobs((&store, &blobs), (target, &*to.blobs)).await;
    moved.map_err(|error| match error {
        SweepError::Store(source) => SharedStoreError::Unusable {
            address: settings.store.url.clone(),
            source,
        }
        .into(),
        SweepError::Blob(source) => NodeError::Blobs {
            place: settings.store.blobs.display().to_string(),
            source,
        },
    })
}

/// The data folder, held, with what is in it.
fn source(from: &Path) -> Result<(DataDir, SqliteStore, FolderBlobs), NodeError> {
    keeping::check_owner(from)?;
    let data = DataDir::open(from, true)?;
    let store = keeping::database(&data.database())?;
    let blobs = folder(&data.blobs())?;
    Ok((data, store, blobs))
}
