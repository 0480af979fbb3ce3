//! Fetches what TRELLIS reads besides its model: DINOv2's code and weights, and rembg's network.
//!
//! Addresses, sizes and hashes are the project's pins. Of DINOv2's other networks no hash is pinned: the lock keeps
//! what was received the first time.

use std::path::Path;

use reqwest::Url;
use trellis_models::Places;
use trellis_models::extras::{Dinov2, Extra, Form, dinov2_code};
use trellis_pins::Pins;

use crate::archive;
use crate::client::Hub;
use crate::disk_space;
use crate::error::FetchError;
use crate::file::{Digest, How, Wanted};
use crate::part::FetchedFile;
use crate::plan::{self, Planned};
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
    fn digest(&self) -> Digest {
        self.sha256.clone().map_or(Digest::Unknown, Digest::Sha256)
    }

    fn pinned(pin: &trellis_pins::RemoteFile) -> Result<Self, FetchError> {
        Ok(Self {
            url: parse(&pin.url)?,
            size: Some(pin.size),
            sha256: Some(pin.sha256.to_string()),
        })
    }
}

impl ExtraSources {
    /// The publishers' own places for what `network` needs; without one, of the pinned network.
    pub fn published(network: Option<Dinov2>) -> Result<Self, FetchError> {
        let pins = Pins::embedded();
        let weights = &pins.models.dinov2;
        let weights = match network.filter(|network| weights.name.as_deref() != Some(network.name)) {
            None => RemoteFile::pinned(weights)?,
            // Beside the pinned network's folder at the publisher are those of the others.
            Some(other) => RemoteFile {
                url: join(
                    &parse(&weights.url)?,
                    &format!("../{}/{}", other.folder, other.weights),
                )?,
                size: None,
                sha256: None,
            },
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

impl ExtraSources {
    /// What those files of `extras` are whose size is known.
    pub fn planned(&self, extras: &[Extra]) -> Vec<Planned> {
        let known = extras.iter().filter_map(|extra| {
            let source = self.of(extra)?;
            let digest = source.digest();
            let size = source.size?;
            Some(Planned {
                from: file_name(&extra.path),
                files: 1,
                bytes: size,
                left: plan::left(&extra.path, &digest, size),
                licence: extra.pin.map(|pin| pin.licence.clone()),
                to: extra.path.parent()?.to_owned(),
            })
        });
        known.collect()
    }

    /// The file that an extra is; none for code.
    fn of(&self, extra: &Extra) -> Option<&RemoteFile> {
        match extra.form {
            Form::Code => None,
            Form::Torch => Some(&self.weights),
            Form::Onnx => Some(&self.u2net),
        }
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
    extras: &[Extra],
    sources: &ExtraSources,
    places: &Places,
    progress: &dyn Progress,
) -> Result<Vec<FetchedFile>, FetchError> {
    let mut fetched = Vec::new();
    for extra in extras {
        let Some(source) = sources.of(extra) else {
            fetched.push(fetch_code(hub, sources, places, progress).await?);
            continue;
        };
        let digest = source.digest();
        // Without a digest the lock is what knows the file; asking the network again would prove nothing.
        let known = digest.text().is_some() || !extra.path.is_file();
        let wanted = Wanted {
            name: file_name(&extra.path),
            url: source.url.clone(),
            size: source.size,
            digest,
            place: extra.path.clone(),
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
