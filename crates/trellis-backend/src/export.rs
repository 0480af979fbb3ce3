//! Exports as a backend: converts the GLB of an earlier job, needs no GPU and is always ready.
//!
//! No submission goes to it, so it is in no registry; the runner gives it slots of its own.

use std::time::Instant;

use tokio_util::sync::CancellationToken;
use trellis_core::{BackendChoice, Failure, FailureKind, Format, GenerateError, Progress, Stage};
use trellis_relief::{DESCRIPTION, NAME, labelled};

use crate::converted::{AssetLabel, CONVERTED, convert};
use crate::stopwatch::Stopwatch;
use crate::{Backend, Capabilities, MadeWith, Output, Readiness, Reporter, Request};

/// What stands in the files that have room for it.
const ABOUT: &str = "converted from the GLB of an earlier job";

/// The converter.
#[derive(Debug)]
pub struct ExportBackend(Capabilities);

impl Default for ExportBackend {
    fn default() -> Self {
        Self(Capabilities {
            name: BackendChoice::Export.name(),
            description: ABOUT,
            preview: false,
            formats: CONVERTED.to_vec(),
            multiview: false,
            slots: 1,
        })
    }
}

impl ExportBackend {
    /// Fails with [`FailureKind::Unsupported`] where it does not make one of the formats.
    pub fn check(&self, formats: &[Format]) -> Result<(), Failure> {
        let Some(format) = formats.iter().find(|format| !CONVERTED.contains(format)) else {
            return Ok(());
        };
        let made = CONVERTED.map(|format| format!("`{format}`")).join(", ");
        let message = format!("`{format}` cannot be made from a GLB, only {made}");
        Err(Failure::new(FailureKind::Unsupported, message))
    }
}

#[async_trait::async_trait]
impl Backend for ExportBackend {
    fn capabilities(&self) -> &Capabilities {
        &self.0
    }

    fn choice(&self) -> BackendChoice {
        BackendChoice::Export
    }

    fn readiness(&self) -> Readiness {
        Readiness::Ready
    }

    async fn generate(
        &self,
        request: Request,
        reporter: &dyn Reporter,
        cancel: CancellationToken,
    ) -> Result<Output, GenerateError> {
        let source = request
            .source
            .ok_or_else(|| Failure::new(FailureKind::Internal, "there is no GLB to convert"))?;
        let is_preview = source.made_by.as_deref() == Some(NAME);
        let label = AssetLabel {
            name: if is_preview {
                labelled(&request.name)
            } else {
                request.name.to_string()
            },
            about: if is_preview { DESCRIPTION } else { ABOUT },
        };
        let params = request.params;
        let progress = |step| Progress {
            stage: Stage::Export,
            step,
            total: 1,
        };
        reporter.progress(progress(0));
        let work = tokio::task::spawn_blocking(move || {
            let watch = Stopwatch::start(Stage::Export, Instant::now());
            let mut files = Vec::new();
            for format in &params.formats {
                if cancel.is_cancelled() {
                    return Err(GenerateError::Cancelled);
                }
                files.push(convert(&source.glb, *format, &params, &label)?);
            }
            Ok((files, watch.stop(Instant::now())))
        });
        let (files, timings) = work
            .await
            .map_err(|_| Failure::new(FailureKind::Internal, "the conversion crashed"))??;
        reporter.progress(progress(1));
        Ok(Output {
            files,
            notes: if is_preview {
                vec![format!("`{NAME}`: {DESCRIPTION}")]
            } else {
                Vec::new()
            },
            timings,
            made_with: MadeWith::default(),
            latents: None,
        })
    }
}
