//! What is passed between the tasks and what works on them: an order, the asset made from it, its files.

use std::path::PathBuf;

use bytes::Bytes;
use serde::Serialize;
use tempfile::TempDir;
use trellis_backend::Piece;
use trellis_core::{AssetName, Format, JobId, Params, ParamsPatch, Priority, Provenance, Timings};

use super::write::Written;
use crate::error::CliError;

/// One asset to be made.
#[derive(Debug)]
pub(crate) struct Order {
    /// The encoded pictures.
    pub(crate) pictures: Vec<Bytes>,
    /// The encoded mesh that is to be textured as they show it.
    pub(crate) mesh: Option<Bytes>,
    /// What the mesh is called.
    pub(crate) mesh_name: Option<AssetName>,
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
    /// How urgent it is among the jobs of the same key.
    pub(crate) priority: Priority,
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

/// A file in its place.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct WrittenFile {
    pub(crate) path: PathBuf,
    pub(crate) format: Format,
    #[serde(flatten)]
    pub(crate) written: Written,
}

/// A task that is done.
pub(crate) struct Done {
    pub(crate) asset: Asset,
    pub(crate) files: Vec<WrittenFile>,
    /// Where the statement is, if there is one.
    pub(crate) statement: Option<PathBuf>,
}

/// The person stopped it.
pub(crate) fn interrupted() -> CliError {
    CliError::interrupted("run the command again")
}
