//! What makes the assets: a backend in this process, or a server.

use tokio_util::sync::CancellationToken;

use super::asset::{Asset, Order};
use super::local::Local;
use super::remote::Remote;
use super::show::JobShow;
use crate::error::CliError;

/// What makes the assets.
#[derive(Debug)]
pub(crate) enum Engine {
    /// A backend in this process.
    Local(Local),
    /// A server.
    Remote(Remote),
}

impl Engine {
    /// A sentence on who works and what to expect of it.
    pub(crate) fn introduction(&self) -> String {
        match self {
            Self::Local(local) => local.introduction(),
            Self::Remote(remote) => remote.introduction(),
        }
    }

    /// How many orders it takes at a time.
    pub(crate) fn at_a_time(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        match self {
            Self::Local(local) => cores.min(local.slots()),
            Self::Remote(_) => cores.max(4),
        }
    }

    /// Makes one asset.
    pub(crate) async fn make(
        &self,
        order: &Order,
        show: &JobShow<'_>,
        stopping: &CancellationToken,
    ) -> Result<Asset, CliError> {
        match self {
            Self::Local(local) => local.make(order, show, stopping).await,
            Self::Remote(remote) => remote.make(order, show, stopping).await,
        }
    }
}
