//! Fetches what TRELLIS reads besides its model: DINOv2's code and weights, and rembg's network.
//!
//! The code is held against the hash of its tree at the pinned commit, u2net against its published sha256. For
//! DINOv2's weights nothing is published but their size; the lock keeps what was received the first time.

use std::path::Path;

use reqwest::Url;
use trellis_models::Places;
use trellis_models::extras::{Dinov2, dinov2_code, needed};

use crate::archive;
use crate::client::Hub;
use crate::download::{Digest, How, Job};
use crate::error::FetchError;
use crate::fetch::FetchedFile;
use crate::progress::Progress;
use crate::room;

/// The commit of `facebookresearch/dinov2` that the project pins.
pub const DINOV2_REVISION: &str = "b8931f7bf91576930313be2c6d6af376033b35f0";
/// Nix's hash of its tree.
pub const DINOV2_NAR_HASH: &str = "sha256-nKT7RMgwJFLFWCH1AYxJTA+bB1QRb+/trv++M1gN2bk=";
/// rembg's release `v0.0.0`; rembg itself checks an MD5 of the same file.
const U2NET_SHA256: &str = "8d10d2f3bb75ae3b6d527c77944fc5e7dcd94b29809d47a739a7a728a912b491";
const U2NET_BYTES: u64 = 175_997_641;

/// Where the extras come from, and what they must be.
#[derive(Debug, Clone)]
pub struct ExtraSources {
    /// A `.tar.gz` of DINOv2's code, with one folder at the top as GitHub makes it.
    pub code: Url,
    /// Nix's hash of its tree.
    pub code_nar_hash: String,
    /// The folder that holds the weights.
    pub weights: Url,
    /// `u2net.onnx`.
    pub u2net: Url,
    /// Its bytes and sha256.
    pub u2net_is: (u64, String),
}

impl ExtraSources {
    /// The publishers' own places for what `network` needs.
    pub fn published(network: Dinov2) -> Result<Self, FetchError> {
        let weights = format!("https://dl.fbaipublicfiles.com/dinov2/{}/", network.folder);
        let code = format!("https://github.com/facebookresearch/dinov2/archive/{DINOV2_REVISION}.tar.gz");
        let u2net = "https://github.com/danielgatis/rembg/releases/download/v0.0.0/u2net.onnx";
        Ok(Self {
            code: parse(&code)?,
            code_nar_hash: DINOV2_NAR_HASH.to_owned(),
            weights: parse(&weights)?,
            u2net: parse(u2net)?,
            u2net_is: (U2NET_BYTES, U2NET_SHA256.to_owned()),
        })
    }

    /// One address for all: `BASE/dinov2.tar.gz`, `BASE/dinov2_….pth`, `BASE/u2net.onnx`.
    pub fn mirrored(self, base: &str) -> Result<Self, FetchError> {
        let base = if base.ends_with('/') {
            base.to_owned()
        } else {
            format!("{base}/")
        };
        let under = |name: &str| parse(&format!("{base}{name}"));
        Ok(Self {
            code: under("dinov2.tar.gz")?,
            weights: parse(&base)?,
            u2net: under("u2net.onnx")?,
            ..self
        })
    }
}

fn parse(text: &str) -> Result<Url, FetchError> {
    Url::parse(text).map_err(|_| FetchError::BadEndpoint {
        text: text.to_owned(),
    })
}

/// Brings the extras that are not there yet.
pub async fn fetch_extras(
    hub: &Hub,
    network: Dinov2,
    sources: &ExtraSources,
    places: &Places,
    progress: &dyn Progress,
) -> Result<Vec<FetchedFile>, FetchError> {
    let mut fetched = Vec::new();
    for extra in needed(network, places) {
        let (url, size, digest) = match extra.name {
            "dinov2_code" => {
                fetched.push(fetch_code(hub, sources, places, progress).await?);
                continue;
            }
            "dinov2_weights" => {
                // Relative to a folder's address, so joining can't fail for a file name.
                let url = sources
                    .weights
                    .join(network.weights)
                    .unwrap_or_else(|_| sources.weights.clone());
                (url, None, Digest::Unknown)
            }
            _ => {
                let (size, sha256) = sources.u2net_is.clone();
                (sources.u2net.clone(), Some(size), Digest::Sha256(sha256))
            }
        };
        // Without a digest the lock is what knows the file; asking the network anew would prove nothing.
        let known = digest.text().is_some() || !extra.path.is_file();
        let job = Job {
            name: file_name(&extra.path),
            url,
            size,
            digest,
            place: extra.path,
        };
        let how = if known {
            hub.download(&job, progress).await?
        } else {
            How::AlreadyThere
        };
        fetched.push(described(
            &job.name,
            &job.place,
            job.digest.text().unwrap_or_default(),
            how,
        )?);
    }
    Ok(fetched)
}

async fn fetch_code(
    hub: &Hub,
    sources: &ExtraSources,
    places: &Places,
    progress: &dyn Progress,
) -> Result<FetchedFile, FetchError> {
    let folder = dinov2_code(places);
    let entry = folder.join("hubconf.py");
    let name = "dinov2 (code)";
    if archive::is_tree(&folder, &sources.code_nar_hash) {
        return described(name, &entry, &sources.code_nar_hash, How::AlreadyThere);
    }
    let job = Job {
        name: name.to_owned(),
        url: sources.code.clone(),
        place: places.torch_hub.join("dinov2.tar.gz"),
        size: None,
        digest: Digest::Unknown,
    };
    let how = hub.download(&job, progress).await?;
    let (tarball, target, hash) = (job.place.clone(), folder, sources.code_nar_hash.clone());
    let unpacked = tokio::task::spawn_blocking(move || archive::unpack(&tarball, &target, &hash)).await;
    let removed = std::fs::remove_file(&job.place);
    unpacked.map_err(|error| FetchError::Archive {
        source: std::io::Error::other(error),
    })??;
    removed.map_err(|source| room::write_error(&job.place, 0, source))?;
    described(name, &entry, &sources.code_nar_hash, how)
}

fn described(name: &str, path: &Path, digest: &str, how: How) -> Result<FetchedFile, FetchError> {
    let meta = std::fs::metadata(path).map_err(|source| room::write_error(path, 0, source))?;
    Ok(FetchedFile {
        path: name.to_owned(),
        size: meta.len(),
        digest: digest.to_owned(),
        how,
    })
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
