//! Fetches what TRELLIS reads besides its model: DINOv2's code and weights, and rembg's network.
//!
//! Addresses, sizes and hashes are the project's pins. Of DINOv2's other networks no hash is pinned: the lock keeps
//! what was received the first time.

use std::path::Path;

use reqwest::Url;
use trellis_models::Places;
use trellis_models::extras::{Dinov2, dinov2_code, needed};
use trellis_pins::Pins;

use crate::archive;
use crate::client::Hub;
use crate::disk_space;
use crate::error::FetchError;
use crate::fetch::FetchedFile;
use crate::file::{Digest, How, Wanted};
use crate::progress::Progress;

/// Where the extras come from, and what they must be.
#[derive(Debug, Clone)]
pub struct ExtraSources {
    /// A `.tar.gz` of DINOv2's code, with one folder at the top as GitHub makes it.
    pub code: Url,
    /// Nix's hash of its tree.
    pub code_nar_hash: String,
    /// DINOv2's weights.
    pub weights: RemoteFile,
    /// rembg's `u2net.onnx`.
    pub u2net: RemoteFile,
}

/// A file at an address.
#[derive(Debug, Clone)]
pub struct RemoteFile {
    /// Where it is.
    pub url: Url,
    /// Its bytes, where they are known.
    pub size: Option<u64>,
    /// Its sha256, where one is published.
    pub sha256: Option<String>,
}

impl RemoteFile {
    fn pinned(pin: &trellis_pins::RemoteFile) -> Result<Self, FetchError> {
        Ok(Self {
            url: parse(&pin.url)?,
            size: Some(pin.size),
            sha256: Some(pin.sha256.to_string()),
        })
    }
}

impl ExtraSources {
    /// The publishers' own places for what `network` needs.
    pub fn published(network: Dinov2) -> Result<Self, FetchError> {
        let pins = Pins::embedded();
        let weights = &pins.models.dinov2;
        let weights = if weights.name.as_deref() == Some(network.name) {
            RemoteFile::pinned(weights)?
        } else {
            // Beside the pinned network's folder at the publisher are those of the others.
            RemoteFile {
                url: join(
                    &parse(&weights.url)?,
                    &format!("../{}/{}", network.folder, network.weights),
                )?,
                size: None,
                sha256: None,
            }
        };
        let source = pins.sources.get("dinov2");
        let code = source.map_or_else(String::new, |source| {
            let (owner, repo, rev) = (&source.owner, &source.repo, &source.rev);
            format!("https://github.com/{owner}/{repo}/archive/{rev}.tar.gz")
        });
        Ok(Self {
            code: parse(&code)?,
            code_nar_hash: source
                .and_then(|source| source.nar_hash.clone())
                .unwrap_or_default(),
            weights,
            u2net: RemoteFile::pinned(&pins.models.u2net)?,
        })
    }

    /// One address for all: `BASE/dinov2.tar.gz`, `BASE/dinov2_….pth`, `BASE/u2net.onnx`.
    pub fn mirrored(mut self, base: &str) -> Result<Self, FetchError> {
        let base = parse(&format!("{}/", base.trim_end_matches('/')))?;
        for file in [&mut self.weights, &mut self.u2net] {
            let name = file.url.path().rsplit('/').next().unwrap_or_default().to_owned();
            file.url = join(&base, &name)?;
        }
        self.code = join(&base, "dinov2.tar.gz")?;
        Ok(self)
    }
}

fn join(base: &Url, relative: &str) -> Result<Url, FetchError> {
    base.join(relative).map_err(|_| FetchError::BadEndpoint {
        text: format!("{base}{relative}"),
    })
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
        let source = match extra.name {
            "dinov2_code" => {
                fetched.push(fetch_code(hub, sources, places, progress).await?);
                continue;
            }
            "dinov2_weights" => &sources.weights,
            _ => &sources.u2net,
        };
        let digest = source.sha256.clone().map_or(Digest::Unknown, Digest::Sha256);
        // Without a digest the lock is what knows the file; asking the network again would prove nothing.
        let known = digest.text().is_some() || !extra.path.is_file();
        let wanted = Wanted {
            name: file_name(&extra.path),
            url: source.url.clone(),
            size: source.size,
            digest,
            place: extra.path,
        };
        let how = if known {
            hub.download(&wanted, progress).await?
        } else {
            How::AlreadyThere
        };
        fetched.push(described(
            &wanted.name,
            &wanted.place,
            wanted.digest.text().unwrap_or_default(),
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
    let wanted = Wanted {
        name: name.to_owned(),
        url: sources.code.clone(),
        place: places.torch_hub.join("dinov2.tar.gz"),
        size: None,
        digest: Digest::Unknown,
    };
    let how = hub.download(&wanted, progress).await?;
    let (tarball, target, hash) = (wanted.place.clone(), folder, sources.code_nar_hash.clone());
    let unpacked = tokio::task::spawn_blocking(move || archive::unpack(&tarball, &target, &hash)).await;
    let removed = std::fs::remove_file(&wanted.place);
    unpacked.map_err(|error| FetchError::Archive {
        source: std::io::Error::other(error),
    })??;
    removed.map_err(|source| disk_space::write_error(&wanted.place, 0, source))?;
    described(name, &entry, &sources.code_nar_hash, how)
}

fn described(name: &str, path: &Path, digest: &str, how: How) -> Result<FetchedFile, FetchError> {
    let meta = std::fs::metadata(path).map_err(|source| disk_space::write_error(path, 0, source))?;
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
