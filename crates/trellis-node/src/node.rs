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
use trellis_webhook::SecretRing;

use crate::blob_place::BlobPlace;
use crate::data_dir::DataDir;
use crate::entrance::{Door, Place};
use crate::services::{Doors, Services};
use crate::{Bound, Certificates, NodeError, Role, Settings, installation, keys, shared_store};

/// What is left after the drain for open requests and the last writes. With the second that the runtime gets
/// for calls that block, a server ends within its drain time and 5 s.
const GRACE: Duration = Duration::from_secs(4);

/// A node that is ready to run: it holds its data folder and its address.
pub struct Node {
    settings: Settings,
    keys: KeyRing,
    data: DataDir,
    /// `None`: it only works on jobs.
    door: Option<Door>,
    certificates: Option<Certificates>,
    metrics: Option<TcpListener>,
    projectorz: Option<TcpListener>,
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
        let certificates = Certificates::open(&settings.tls)?;
        let keys = keys::open(&settings.auth)?;
        shared_store::check(&settings)?;
        BlobPlace::named(&settings)?;
        let place = match settings.role {
            Role::Worker => None,
            Role::All | Role::Api => Some(Place::find(&settings.listen, certificates.is_some())?),
        };
        let projectorz = settings
            .compat
            .projectorz_listen
            .filter(|_| settings.compat.projectorz && settings.role != Role::Worker);
        if keys.names().is_none() {
            for address in place
                .as_ref()
                .and_then(Place::address)
                .into_iter()
                .chain(projectorz)
            {
                open_to_all(address, settings.auth.insecure_no_auth)?;
            }
        }
        if let Some(address) = settings.metrics.listen {
            figures_open_to_all(address, settings.metrics.public)?;
        }
        let data = DataDir::open(&settings.data_dir, named)?;
        let door = match place {
            Some(place) => Some(place.bind().await?),
            None => None,
        };
        let metrics = match settings.metrics.listen {
            Some(address) => Some(listen_for_metrics(address).await?),
            None => None,
        };
        let projectorz = match projectorz {
            Some(address) => Some(listen_for_projectorz(address).await?),
            None => None,
        };
        let origin = installation::origin(&settings, search).await?;
        let services = Services::open(&settings, &data, origin).await?;
        Ok(Self {
            settings,
            keys,
            data,
            door,
            certificates,
            metrics,
            projectorz,
            services,
        })
    }

    /// Where it listens; `None`: it only works on jobs.
    pub fn bound(&self) -> Option<&Bound> {
        self.door.as_ref().map(|door| &door.bound)
    }

    /// The certificate in force, where there is TLS.
    pub fn certificates(&self) -> Option<&Certificates> {
        self.certificates.as_ref()
    }

    /// The address that was bound for the figures alone.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.as_ref()?.local_addr().ok()
    }

    /// The address that was bound for StableProjectorz.
    pub fn projectorz_address(&self) -> Option<SocketAddr> {
        self.projectorz.as_ref()?.local_addr().ok()
    }

    /// The API keys in force, which [`reload_keys`](crate::reload_keys) replaces.
    pub fn keys(&self) -> &KeyRing {
        &self.keys
    }

    /// The secrets that messages to webhooks are signed with, which [`reload_webhook_secrets`](crate::reload_webhook_secrets)
    /// replaces; `None` where jobs have no webhooks.
    pub fn webhook_secrets(&self) -> Option<&SecretRing> {
        self.services.webhook_secrets()
    }

    /// For each backend a sentence.
    pub fn introductions(&self) -> Vec<String> {
        self.services.introductions()
    }

    /// Runs until `stopping` is set, then drains: running jobs may finish for `drain_seconds`.
    pub async fn run(self, stopping: &CancellationToken) -> Ended {
        let drain = Duration::from_secs(self.settings.drain_seconds.into());
        // The file stays until nothing listens there any more.
        let (entrance, _file) = match self.door {
            Some(door) => (Some(door.entrance), door.file),
            None => (None, None),
        };
        let doors = Doors {
            entrance,
            certificates: self.certificates,
            metrics: self.metrics,
            projectorz: self.projectorz,
            keys: self.keys,
        };
        let tasks = self.services.start(&self.settings, &self.data, doors, stopping);
        run_until_stopped(tasks, stopping, drain + GRACE).await
    }
}

/// Refuses to let everybody in who can reach an address from elsewhere, unless that is `wanted`.
fn open_to_all(address: SocketAddr, wanted: bool) -> Result<(), NodeError> {
    if address.ip().to_canonical().is_loopback() {
        return Ok(());
    }
    if !wanted {
        return Err(NodeError::OpenToAll { address });
    }
    warn!(%address, "anyone who can reach this address can use the server (`auth.insecure_no_auth`)");
    Ok(())
}

/// Likewise for the figures, for which nobody needs a key there.
fn figures_open_to_all(address: SocketAddr, wanted: bool) -> Result<(), NodeError> {
    if wanted || address.ip().to_canonical().is_loopback() {
        return Ok(());
    }
    Err(NodeError::MetricsOpenToAll { address })
}

async fn listen_for_metrics(address: SocketAddr) -> Result<TcpListener, NodeError> {
    let bound = async {
        let listener = TcpListener::bind(address).await?;
        info!(address = %listener.local_addr()?, "`/metrics` has a listener of its own");
        Ok(listener)
    };
    bound
        .await
        .map_err(|source| NodeError::MetricsListen { address, source })
}

async fn listen_for_projectorz(address: SocketAddr) -> Result<TcpListener, NodeError> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|source| NodeError::ProjectorzListen { address, source })
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

    #[test]
    fn without_keys_only_this_machine_is_let_in() {
        for (address, open) in [
            ("127.0.0.1:8000", false),
            ("127.3.2.1:8000", false),
            ("[::1]:8000", false),
            ("[::ffff:127.0.0.1]:8000", false),
            ("0.0.0.0:8000", true),
            ("[::]:8000", true),
            ("10.0.0.2:8000", true),
            ("[::ffff:10.0.0.2]:8000", true),
        ] {
            let address = address.parse().unwrap();
            let refused = open_to_all(address, false).err().map(|error| error.kind());
            assert_eq!(refused, open.then_some("open_to_all"), "{address}");
            assert!(open_to_all(address, true).is_ok());
            let refused = figures_open_to_all(address, false)
                .err()
                .map(|error| error.kind());
            assert_eq!(refused, open.then_some("metrics_open_to_all"), "{address}");
            assert!(figures_open_to_all(address, true).is_ok());
        }
    }

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
