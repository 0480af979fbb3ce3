//! The servers that share a job store, for people: who they are, and whether one of them is to begin jobs.

use std::sync::Arc;

use trellis_backend::{Others, Registry};
use trellis_core::{Demand, Failure};
use trellis_jobs::{JobStore as _, Needs, StoreError};
use trellis_store_postgres::Node;

use crate::about::About;
use crate::backends::anywhere;
use crate::roster::Roster;
use crate::servers::Servers;
use crate::shared_store::open;
use crate::{NodeError, Settings, SharedStoreError};

/// The servers that share a job store.
#[derive(Debug)]
pub struct SharingNodes {
    /// Each of them.
    pub nodes: Vec<Node<About>>,
    /// What jobs wait for that none of them can do, each reason once.
    pub lacks: Vec<Failure>,
}

/// The servers of the job store that the settings name.
pub async fn nodes(settings: &Settings) -> Result<SharingNodes, NodeError> {
    let store = open(&settings.store).await?.ok_or(SharedStoreError::NotShared)?;
    let nodes: Vec<Node<About>> = store.nodes().await.map_err(|source| unusable(settings, source))?;
    let roster = Arc::new(Roster::of("", nodes.clone()));
    let others: Arc<dyn Others> = roster.clone();
    let servers = Servers {
        all: anywhere(&Registry::new(Vec::new()), &others),
        here: None,
        works: false,
        roster: Some(roster),
    };
    let waiting = store.waiting().await;
    let mut lacks: Vec<Failure> = Vec::new();
    for kind in waiting.map_err(|source| unusable(settings, source))? {
        // What a newer version wrote this one cannot judge.
        let asked = kind
            .demand
            .parse::<Demand>()
            .ok()
            .zip(Needs::from_text(&kind.needs));
        let lack = asked.and_then(|(demand, needs)| servers.lack(demand, &needs));
        lacks.extend(lack.filter(|lack| !lacks.contains(lack)));
    }
    Ok(SharingNodes { nodes, lacks })
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
