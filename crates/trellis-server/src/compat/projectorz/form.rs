//! The form of the four `generate_…` routes, multipart or urlencoded: pictures as files or in base64, the rest by name.

use std::collections::BTreeMap;
use std::io;

use axum::extract::{FromRequest as _, Multipart, Request};
use axum::http::{StatusCode, header};
use bytes::Bytes;
use futures::StreamExt as _;
use tokio::sync::mpsc;
use trellis_core::AssetName;
use trellis_jobs::{Arriving, Intake, SubmitError};

use super::failed::Failed;
use super::text::{Event, Pairs};
use super::wishes::{FIELDS, Raw, Wishes};
use crate::AppState;
use crate::data_uri::{self, CopyError};
use crate::request_error::RequestError;
use crate::submit::broken;

/// What decoding a picture may take at a time, bytes.
const DECODING_BYTES: u64 = 1 << 20;
/// Parts of a picture that are decoded before one is written.
const PARTS_AHEAD: usize = 4;
/// No number is longer.
const LONGEST_FIELD: usize = 64;

/// Whether a route takes several pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Many {
    /// `file` or `image_base64`.
    No,
    /// `file_list` and `image_list_base64`, each as often as wanted.
    Yes,
}

/// A form that has come in.
pub(super) struct Form {
    many: Many,
    most: usize,
    fields: BTreeMap<&'static str, String>,
    files: Vec<Arriving>,
    /// Pictures in base64.
    texts: Vec<Arriving>,
}

/// A part of it that is coming in.
enum Part {
    File(Arriving),
    Text(Arriving),
    Field(&'static str, Vec<u8>),
    Unknown,
}

/// Reads the whole of it; what is not known in it is passed over, as FastAPI does.
pub(super) async fn read(
    state: &AppState,
    request: Request,
    intake: &mut Intake,
    many: Many,
) -> Result<Form, Failed> {
    let mut form = Form {
        many,
        most: state.jobs.limits.max_images,
        fields: BTreeMap::new(),
        files: Vec::new(),
        texts: Vec::new(),
    };
    let media_type = request.headers().get(header::CONTENT_TYPE);
    let text = media_type
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = text
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let limit_bytes = state.limits.body_bytes;
    match essence.as_str() {
        "multipart/form-data" => form.read_parts(request, intake, limit_bytes).await?,
        "application/x-www-form-urlencoded" => form.read_pairs(request, intake, limit_bytes).await?,
        _ => {}
    }
    Ok(form)
}

impl Form {
    async fn read_parts(
        &mut self,
        request: Request,
        intake: &mut Intake,
        limit_bytes: usize,
    ) -> Result<(), Failed> {
        let parts = Multipart::from_request(request, &()).await;
        let mut parts = parts.map_err(|_| RequestError::BodyUnreadable)?;
        loop {
            let field = parts.next_field().await;
            let Some(mut field) = field.map_err(|error| broken(&error, limit_bytes))? else {
                return Ok(());
            };
            let name = field.name().unwrap_or_default().to_owned();
            let file = field.file_name().and_then(AssetName::of_file);
            let mut part = self.begin(intake, &name, file).await?;
            while let Some(bytes) = field.chunk().await.map_err(|error| broken(&error, limit_bytes))? {
                part.write(bytes).await?;
            }
            self.end(part);
        }
    }

    async fn read_pairs(
        &mut self,
        request: Request,
        intake: &mut Intake,
        limit_bytes: usize,
    ) -> Result<(), Failed> {
        let (mut pairs, mut left) = (Pairs::default(), limit_bytes);
        let mut part = Part::Unknown;
        let mut body = request.into_body().into_data_stream();
        while let Some(bytes) = body.next().await {
            let bytes = bytes.map_err(|_| RequestError::BodyUnreadable)?;
            let rest = left.checked_sub(bytes.len());
            left = rest.ok_or(RequestError::BodyTooLarge { limit_bytes })?;
            for event in pairs.feed(&bytes) {
                self.happen(intake, &mut part, event).await?;
            }
        }
        for event in pairs.end() {
            self.happen(intake, &mut part, event).await?;
        }
        Ok(())
    }

    async fn happen(&mut self, intake: &mut Intake, part: &mut Part, event: Event) -> Result<(), Failed> {
        match event {
            Event::Begin(name) => *part = self.begin(intake, &name, None).await?,
            Event::Bytes(bytes) => part.write(bytes.into()).await?,
            Event::End => self.end(std::mem::replace(part, Part::Unknown)),
        }
        Ok(())
    }

    async fn begin(&self, intake: &mut Intake, name: &str, file: Option<AssetName>) -> Result<Part, Failed> {
        let (file_name, text_name) = match self.many {
            Many::No => ("file", "image_base64"),
            Many::Yes => ("file_list", "image_list_base64"),
        };
        if name == file_name {
            return Ok(Part::File(intake.picture(file).await?));
        }
        if name == text_name {
            // Each becomes a picture of its own, but not before all have come.
            if self.texts.len() >= self.most {
                return Err(SubmitError::TooManyPictures {
                    max_images: self.most,
                }
                .into());
            }
            return Ok(Part::Text(intake.spool().await?));
        }
        let known = FIELDS.into_iter().find(|known| *known == name);
        Ok(known.map_or(Part::Unknown, |name| Part::Field(name, Vec::new())))
    }

    /// An empty picture is as good as none: browsers send one for a field that was left empty.
    fn end(&mut self, part: Part) {
        match part {
            Part::File(file) if file.size_bytes() > 0 => self.files.push(file),
            Part::Text(text) if text.size_bytes() > 0 => self.texts.push(text),
            Part::Field(name, value) => {
                self.fields
                    .insert(name, String::from_utf8_lossy(&value).trim().to_owned());
            }
            Part::File(_) | Part::Text(_) | Part::Unknown => {}
        }
    }

    /// What its fields ask, not checked.
    pub(super) fn raw(&self) -> Result<Raw, Failed> {
        Raw::of_form(&self.fields)
    }

    /// Checks what it asks and takes its pictures, those in base64 first; of a single one the base64 counts.
    pub(super) async fn taken(
        mut self,
        state: &AppState,
        intake: &mut Intake,
        raw: Raw,
    ) -> Result<Wishes, Failed> {
        if self.texts.is_empty() && self.files.is_empty() {
            return Err(Failed::new(StatusCode::BAD_REQUEST, "No input images provided").nested());
        }
        let wishes = raw.checked()?;
        if self.many == Many::No {
            self.texts.truncate(1);
            self.files.truncate(1 - self.texts.len());
        }
        for text in self.texts {
            let picture = decoded(state, intake, text).await?;
            take(intake, picture).await?;
        }
        for file in self.files {
            take(intake, file).await?;
        }
        Ok(wishes)
    }
}

impl Part {
    async fn write(&mut self, bytes: Bytes) -> Result<(), SubmitError> {
        match self {
            Self::File(arriving) | Self::Text(arriving) => arriving.write(bytes).await,
            Self::Field(_, value) => {
                let room = LONGEST_FIELD.saturating_sub(value.len());
                value.extend_from_slice(&bytes[..bytes.len().min(room)]);
                Ok(())
            }
            Self::Unknown => Ok(()),
        }
    }
}

async fn take(intake: &mut Intake, picture: Arriving) -> Result<(), Failed> {
    intake.take(picture).await.map_err(|error| match error {
        SubmitError::Picture { source, .. } => {
            let said = format!("get_image - issue opening the image file: {source}");
            Failed::new(StatusCode::BAD_REQUEST, said).nested()
        }
        error => error.into(),
    })
}

/// The picture that a text in base64 holds.
async fn decoded(state: &AppState, intake: &mut Intake, mut text: Arriving) -> Result<Arriving, Failed> {
    let source = text.reopen().await?;
    let mut picture = intake.picture(None).await?;
    let (sender, parts) = mpsc::channel::<Bytes>(PARTS_AHEAD);
    let reading = state.jobs.heavy_work.run(DECODING_BYTES, move || {
        data_uri::copy_or_bare(source, |bytes| {
            let sent = sender.blocking_send(bytes.into());
            sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
        })
    });
    let (written, read) = tokio::join!(written(parts, &mut picture), reading);
    // Where it was not written, reading ended only because of that.
    written?;
    match read.map_err(SubmitError::from)? {
        Ok(()) => Ok(picture),
        Err(CopyError::Uri(error)) => {
            let said = format!("Invalid base64 data: {error}");
            Err(Failed::new(StatusCode::BAD_REQUEST, said).nested())
        }
        Err(CopyError::Io(error)) => Err(Failed::internal(&error.to_string())),
    }
}

async fn written(mut parts: mpsc::Receiver<Bytes>, picture: &mut Arriving) -> Result<(), SubmitError> {
    while let Some(part) = parts.recv().await {
        picture.write(part).await?;
    }
    Ok(())
}
