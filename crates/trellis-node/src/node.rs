//! A node from its start to its end: opened, running, drained.

use std::ffi::OsStr;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use trellis_server::KeyRing;

use crate::data_dir::DataDir;
use crate::services::Services;
use crate::{Listen, NodeError, Settings, installation, keys, service_manager};

/// What is left after the drain for open requests and the last writes.
const GRACE: Duration = Duration::from_secs(5);

/// A node that is ready to run: it holds its data folder and its address.
pub struct Node {
    settings: Settings,
    keys: KeyRing,
    data: DataDir,
    listener: TcpListener,
    address: SocketAddr,
    services: Services,
}

/// How a node ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was told to stop.
    Stopped,
    /// A part of it ended by itself: a defect, which the log names.
    Broken,
}

impl Node {
    /// Opens everything that a node needs. `named`: somebody chose the data folder, so that the folder around
    /// it must be there already. `search` is the value of `PATH`, where the worker's Python is looked for.
    pub async fn open(settings: Settings, named: bool, search: Option<&OsStr>) -> Result<Self, NodeError> {
        let keys = keys::open(&settings.auth)?;
        let data = DataDir::open(&settings.data_dir, named)?;
        let (listener, address) = bind(&settings.listen).await?;
        let origin = installation::origin(&settings, search).await?;
        let services = Services::open(&settings, &data, origin).await?;
        if keys.names().is_none() && !address.ip().is_loopback() {
            warn!(bound = %address, "anyone who can reach this address can use the server: set `auth.keys_file`, or listen on 127.0.0.1");
        }
        Ok(Self {
            settings,
            keys,
            data,
            listener,
            address,
            services,
        })
    }

    /// The address that was bound.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The API keys in force, which [`reload_keys`](crate::reload_keys) replaces.
    pub fn keys(&self) -> &KeyRing {
        &self.keys
    }

    /// For each backend a sentence.
    pub fn introductions(&self) -> Vec<String> {
        self.services.introductions()
    }

    /// Runs until `stopping` is set, then drains: running jobs may finish for `drain_seconds`.
    pub async fn run(self, stopping: &CancellationToken) -> Ended {
        let drain = Duration::from_secs(self.settings.drain_seconds.into());
        let tasks = self
            .services
            .start(&self.settings, &self.data, self.keys, self.listener, stopping);
        run_until_stopped(tasks, stopping, drain + GRACE).await
    }
}

async fn bind(listen: &Listen) -> Result<(TcpListener, SocketAddr), NodeError> {
    let address = SocketAddr::new(listen.host, listen.port);
    let bound = async {
        let listener = match service_manager::inherited_listener()? {
            Some(listener) => listener,
            None => TcpListener::bind(address).await?,
        };
        let bound = listener.local_addr()?;
        Ok((listener, bound))
    };
    bound
        .await
        .map_err(|source| NodeError::Listen { address, source })
}

/// Waits for the signal and then, within `deadline`, for all tasks. One that ends by itself before is a
/// defect: the others are stopped in order, so that nothing is lost.
async fn run_until_stopped(
    mut tasks: JoinSet<io::Result<()>>,
    stopping: &CancellationToken,
    deadline: Duration,
) -> Ended {
    let mut how = Ended::Stopped;
    tokio::select! {
        // First: once it is set, tasks end because of it.
        biased;
        () = stopping.cancelled() => {}
        ended = tasks.join_next() => {
            error!(reason = ?ended, "a server task ended unexpectedly");
            how = Ended::Broken;
            stopping.cancel();
        }
    }
    let drained = timeout(deadline, async { while tasks.join_next().await.is_some() {} });
    if drained.await.is_err() {
        warn!(
            seconds = deadline.as_secs(),
            "the drain deadline has passed; stopping what still runs"
        );
        tasks.shutdown().await;
    }
    info!("stopped");
    how
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_that_ends_by_itself_stops_the_others() {
        let stopping = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let token = stopping.clone();
        tasks.spawn(async move {
            token.cancelled().await;
            Ok(())
        });
        tasks.spawn(async { Err(io::Error::other("gone")) });
        let ended = run_until_stopped(tasks, &stopping, Duration::from_secs(60)).await;
        assert_eq!(ended, Ended::Broken);
        assert!(stopping.is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_end_in_time_is_stopped() {
        let stopping = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(std::future::pending());
        stopping.cancel();
        let ended = run_until_stopped(tasks, &stopping, Duration::from_secs(60)).await;
        assert_eq!(ended, Ended::Stopped);
    }
}
