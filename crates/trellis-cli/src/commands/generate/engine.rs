//! What makes the assets: a backend in this process, or a server.

use bytes::Bytes;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use trellis_core::{AssetName, Format, JobId, Params, ParamsPatch, Provenance, Timings};

use super::here::Here;
use super::pieces::Piece;
use super::show::JobShow;
use super::there::There;
use super::trouble::Trouble;

/// One asset to be made.
#[derive(Debug)]
pub(crate) struct Order {
    /// The encoded pictures.
    pub(crate) pictures: Vec<Bytes>,
    /// What the object is called inside its files, after the first picture.
    pub(crate) name: Option<AssetName>,
    /// Parameters, in range.
    pub(crate) patch: ParamsPatch,
    /// What the file of each format will be called.
    pub(crate) names: Vec<(Format, String)>,
    /// What is asked of a server alone.
    pub(crate) of_server: OfServer,
}

/// What is asked of a server and means nothing to a backend in this process.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct OfServer {
    /// Whether it is to make the asset anew where it keeps the result of an earlier job.
    pub(crate) anew: bool,
    /// Whether its statement is fetched also where nobody signed it.
    pub(crate) states: bool,
}

/// What is said of an asset beside its files.
#[derive(Debug)]
pub(crate) struct Stated {
    /// What a file that holds it ends with, without a dot before it.
    pub(crate) ending: String,
    /// The statement.
    pub(crate) bytes: Bytes,
    /// The name of the key that signed it.
    pub(crate) signed_by: Option<String>,
}

/// A made asset.
#[derive(Debug)]
pub(crate) struct Asset {
    /// The job's name.
    pub(crate) job: JobId,
    /// Which backend made it.
    pub(crate) made_by: String,
    /// What a person should know of that backend's results.
    pub(crate) about: String,
    /// What was asked, with the seed.
    pub(crate) params: Params,
    /// What a person should know of it.
    pub(crate) notes: Vec<String>,
    /// The files, as they will be written; of several for one format the first is the one that is named.
    pub(crate) files: Vec<Piece>,
    /// What making it took; none where a server had it already.
    pub(crate) timings: Option<Timings>,
    /// What made it; none from a server that does not say.
    pub(crate) provenance: Option<Provenance>,
    /// The statement about it, where there is to be one.
    pub(crate) stated: Option<Stated>,
    /// Whether a server had it already.
    pub(crate) cached: bool,
    /// The folder of files that are not in memory.
    pub(crate) _scratch: Option<TempDir>,
}

/// What makes the assets.
#[derive(Debug)]
pub(crate) enum Engine {
    /// A backend in this process.
    Here(Here),
    /// A server.
    There(There),
}

impl Engine {
    /// A sentence on who works and what to expect of it.
    pub(crate) fn introduction(&self) -> String {
        match self {
            Self::Here(here) => here.introduction(),
            Self::There(there) => there.introduction(),
        }
    }

    /// How many orders it takes at a time.
    pub(crate) fn at_a_time(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        match self {
            Self::Here(here) => cores.min(here.slots()),
            Self::There(_) => cores.max(4),
        }
    }

    /// Makes one asset.
    pub(crate) async fn make(
        &self,
        order: &Order,
        show: &JobShow<'_>,
        stopping: &CancellationToken,
    ) -> Result<Asset, Trouble> {
        match self {
            Self::Here(here) => here.make(order, show, stopping).await,
            Self::There(there) => there.make(order, show, stopping).await,
        }
    }
}
