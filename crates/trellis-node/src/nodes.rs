//! The servers that share a job store, for people: who they are, and whether one of them is to begin jobs.

use trellis_jobs::StoreError;
use trellis_store_postgres::Node;

use crate::about::About;
use crate::shared_store::open;
use crate::{NodeError, Settings, SharedStoreError};

/// The servers of the job store that the settings name.
pub async fn nodes(settings: &Settings) -> Result<Vec<Node<About>>, NodeError> {
    let store = open(&settings.store).await?.ok_or(SharedStoreError::NotShared)?;
    let nodes = store.nodes().await;
    Ok(nodes.map_err(|source| unusable(settings, source))?)
}

/// Has one of them begin no job, or begin jobs again.
pub async fn drain(settings: &Settings, name: &str, drains: bool) -> Result<(), NodeError> {
    let store = open(&settings.store).await?.ok_or(SharedStoreError::NotShared)?;
    let found = store.drain(name, drains).await;
    if !found.map_err(|source| unusable(settings, source))? {
        let name = name.to_owned();
        return Err(SharedStoreError::NoNode { name }.into());
    }
    Ok(())
}

fn unusable(settings: &Settings, source: StoreError) -> SharedStoreError {
    SharedStoreError::Unusable {
        address: settings.store.url.clone(),
        source,
    }
}
