//! TRELLIS.2's picture encoder: fetched as timm publishes it, without an account, and made into the published file.

use std::path::{Path, PathBuf};

use trellis_models::dinov3::{FILES, FOLDER, Size, convert_sized, result_bytes, write_configuration};
use trellis_models::hash;
use trellis_pins::Pins;

use crate::client::Hub;
use crate::disk_space;
use crate::error::FetchError;
use crate::file::How;
use crate::layout::Layout;
use crate::part::{FetchedFile, Part};
use crate::partial::blocking;
use crate::plan::Planned;
use crate::progress::Progress;

/// Where timm's file lies until it is converted, below the encoder's folder.
const FROM_TIMM: &str = "from-timm";

/// What the encoder is made of, and what must come out.
#[derive(Debug, Clone)]
pub struct EncoderSource {
    /// `ORG/NAME`.
    pub repo: String,
    /// The commit.
    pub revision: String,
    /// The file there.
    pub file: String,
    /// Its SHA-256, where it is known.
    pub sha256: Option<String>,
    /// How large the network is.
    pub size: Size,
    /// SHA-256 of the weights that are to come out.
    pub result: String,
}

impl EncoderSource {
    /// DINOv3 ViT-L/16.
    pub fn published() -> Self {
        let models = &Pins::embedded().models;
        let pin = &models.dinov3;
        let mut files = models.folders.values().filter_map(|folder| folder.file(FILES[1]));
        Self {
            repo: pin.repository.clone(),
            revision: pin.revision.clone(),
            file: pin.file.clone(),
            sha256: Some(pin.sha256.to_string()),
            size: Size::LARGE,
            result: files
                .next()
                .map_or_else(String::new, |file| file.sha256.to_string()),
        }
    }
}

/// The encoder of one folder.
pub(crate) struct Encoder {
    source: EncoderSource,
    /// The encoder's own folder.
    folder: PathBuf,
    /// timm's file; none where the result is there already.
    part: Option<Part>,
}

impl Encoder {
    /// Looks whether the encoder is in a model folder, and lists what it is made of where it is not.
    pub(crate) async fn prepare(
        hub: &Hub,
        source: &EncoderSource,
        model: &Path,
        progress: &dyn Progress,
    ) -> Result<Self, FetchError> {
        let folder = model.join(FOLDER);
        let mut encoder = Self {
            source: source.clone(),
            folder,
            part: None,
        };
        if !encoder.is_there().await {
            let layout = Layout::Folder(encoder.folder.join(FROM_TIMM));
            let names = std::slice::from_ref(&source.file);
            let part =
                Part::of_files(hub, &layout, (&source.repo, &source.revision), names, progress).await?;
            part.must_list(&source.file, source.sha256.as_deref())?;
            encoder.part = Some(part);
        }
        Ok(encoder)
    }

    async fn is_there(&self) -> bool {
        let weights = self.weights();
        if !weights.is_file() || !self.folder.join("config.json").is_file() {
            return false;
        }
        let found = blocking(move || hash::sha256(&weights, &|_| {})).await;
        found.is_ok_and(|found| found.to_string() == self.source.result)
    }

    fn weights(&self) -> PathBuf {
        self.folder.join("model.safetensors")
    }

    /// What it takes, the result beside its source.
    pub(crate) fn planned(&self) -> Option<Planned> {
        let mut planned = self.part.as_ref()?.planned();
        planned.left = planned.left.saturating_add(result_bytes(self.source.size));
        Some(planned)
    }

    /// Fetches and converts, and removes what was fetched.
    pub(crate) async fn bring(&self, hub: &Hub, progress: &dyn Progress) -> Result<FetchedFile, FetchError> {
        let how = match &self.part {
            None => How::AlreadyThere,
            Some(part) => {
                let fetched = part.fetch(hub, progress).await?;
                let from = part.folder().join(&self.source.file);
                let (to, source) = (self.folder.clone(), self.source.clone());
                let converted = blocking(move || {
                    Ok(convert_sized(&from, &to, source.size, &source.result, &|_| {})
                        .and_then(|()| write_configuration(&to)))
                });
                let converted = converted.await.map_err(|source| self.unwritten(source))?;
                converted.map_err(|source| FetchError::Encoder { source })?;
                std::fs::remove_dir_all(part.folder()).map_err(|source| self.unwritten(source))?;
                fetched.first().map_or(How::Downloaded, |file| file.how)
            }
        };
        let meta = std::fs::metadata(self.weights()).map_err(|source| self.unwritten(source))?;
        Ok(FetchedFile {
            path: FILES[1].to_owned(),
            size: meta.len(),
            digest: self.source.result.clone(),
            how,
        })
    }

    fn unwritten(&self, source: std::io::Error) -> FetchError {
        disk_space::write_error(&self.folder, 0, source)
    }
}
