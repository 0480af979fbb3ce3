//! A submission as JSON with data URIs.

use std::io::Read as _;

use axum::body::Bytes;
use axum::extract::Request;
use futures::StreamExt as _;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use trellis_core::{BackendChoice, Format, ParamsPatch, plain_words};
use trellis_jobs::{Asked, BlobError, Intake, SubmitError};

use crate::AppState;
use crate::data_uri;
use crate::problem::Problem;
use crate::request_error::RequestError;

/// The longest reason that is given, in characters.
const LONGEST_REASON: usize = 300;

/// A submission as JSON.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SubmissionJson {
    /// The pictures as data URIs of PNG, JPEG, WebP, GIF, BMP or TIFF; more than one are views of one object.
    #[schema(min_items = 1, value_type = Vec<PictureUri>)]
    images: Vec<String>,
    /// What is asked; what is absent takes its default.
    #[serde(default, deserialize_with = "object")]
    params: Option<ParamsPatch>,
    /// Which backend; absent: `auto`.
    backend: Option<BackendChoice>,
}

/// A picture as a data URI.
#[derive(utoipa::ToSchema)]
#[schema(value_type = String, format = "picture-data-uri", pattern = "^\\s*data:[^,]*;base64\\s*,[A-Za-z0-9+/_%\\s-]+=*\\s*$")]
#[expect(dead_code, reason = "describes the form of a text in the contract")]
pub(crate) struct PictureUri(String);

/// The body goes to disk as it comes and is read once it is whole, so that nothing scarce is held meanwhile.
pub(super) async fn read(state: &AppState, request: Request, intake: &mut Intake) -> Result<Asked, Problem> {
    let mut body = request.into_body().into_data_stream();
    let mut spool = intake.spool().await?;
    let limit_bytes = state.limits.body_bytes;
    while let Some(part) = body.next().await {
        let part = part.map_err(|_| RequestError::BodyUnreadable)?;
        if spool.size_bytes() + part.len() as u64 > limit_bytes as u64 {
            return Err(RequestError::BodyTooLarge { limit_bytes }.into());
        }
        spool.write(part).await?;
    }
    let mut source = spool.reopen().await?;
    let (reading, key) = (state.clone(), spool.key().clone());
    // The body and the pictures in it.
    let memory_bytes = spool.size_bytes().saturating_mul(2);
    let read = state.jobs.heavy_work.run(memory_bytes, move || {
        let mut body = Vec::new();
        source.read_to_end(&mut body).map_err(|error| {
            let source = error.into();
            BlobError::Unavailable { key, source }
        })?;
        parse(&reading, &body)
    });
    let (pictures, asked) = read.await.map_err(SubmitError::from)??;
    drop(spool);
    for picture in pictures {
        // A data URI has no file name.
        intake.add(picture, None).await?;
    }
    Ok(asked)
}

fn parse(state: &AppState, body: &[u8]) -> Result<(Vec<Bytes>, Asked), Problem> {
    const PLACE: &str = "the body";
    let fields = fields(PLACE, body)?;
    if let Some(name) = fields.keys().find_map(|key| parameter_meant(key)) {
        let reason = format!("`{name}` belongs in `params`");
        return Err(RequestError::InvalidJson { place: PLACE, reason }.into());
    }
    if let Some(Value::Object(params)) = fields.get("params") {
        known_formats(state, params)?;
    }
    let SubmissionJson {
        images,
        params,
        backend,
    } = named(fields).map_err(|reason| RequestError::InvalidJson { place: PLACE, reason })?;
    let max_images = state.jobs.limits.max_images;
    if images.len() > max_images {
        return Err(SubmitError::TooManyPictures { max_images }.into());
    }
    let pictures = images.iter().enumerate().map(|(index, uri)| {
        data_uri::decode(uri).map_err(|source| RequestError::InvalidDataUri { index, source })
    });
    let asked = Asked {
        params: params.unwrap_or_default(),
        backend: backend.unwrap_or_default(),
    };
    Ok((pictures.collect::<Result<_, _>>()?, asked))
}

/// Reads a JSON object; text that is no JSON and JSON of another form are told apart.
pub(super) fn fields(place: &'static str, text: &[u8]) -> Result<Map<String, Value>, RequestError> {
    // A byte order mark, as some programs on Windows write it, may be passed over (RFC 8259, section 8.1).
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    if let Some(reason) = no_text(text) {
        let reason = reason.to_owned();
        return Err(RequestError::MalformedJson { place, reason });
    }
    serde_json::from_slice(text).map_err(|error| {
        let reason = shortened(&plain_words(&error.to_string()), LONGEST_REASON);
        match error.classify() {
            serde_json::error::Category::Data => RequestError::InvalidJson { place, reason },
            _ => RequestError::MalformedJson { place, reason },
        }
    })
}

/// What is there instead of text in UTF-8, where it is known.
fn no_text(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x1F, 0x8B, ..] => Some("it is compressed with gzip, and this server does not decompress bodies"),
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => Some("it is UTF-16; send it as UTF-8"),
        _ if bytes.trim_ascii().is_empty() => Some("it is empty"),
        _ => None,
    }
}

/// The parameter that a name outside of `params` means: `formats`, also as `format`; `stl-size-mm`.
pub(super) fn parameter_meant(name: &str) -> Option<String> {
    let plain = name.to_ascii_lowercase().replace('-', "_");
    let names = [plain.clone(), format!("{plain}s")];
    names.into_iter().find(|name| {
        let alone = Map::from_iter([(name.clone(), Value::Null)]);
        named::<ParamsPatch>(alone).is_ok()
    })
}

/// Refuses an unknown format, with those that this server makes. What is known and not made here is
/// told by the backends.
pub(super) fn known_formats(state: &AppState, params: &Map<String, Value>) -> Result<(), RequestError> {
    let asked = params
        .get("formats")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let unknown = asked
        .filter_map(Value::as_str)
        .find(|name| name.parse::<Format>().is_err());
    let Some(name) = unknown else {
        return Ok(());
    };
    let backends = state.registry.all();
    let makes = |format: &Format| {
        let mut able = backends.iter().map(|backend| &backend.capabilities().formats);
        able.any(|formats| formats.contains(format))
    };
    Err(RequestError::UnknownFormat {
        name: name.chars().take(64).collect(),
        made: Format::ALL.into_iter().filter(makes).collect(),
    })
}

/// Reads fields by their names; the reason for a refusal names the field.
pub(super) fn named<T: DeserializeOwned>(fields: Map<String, Value>) -> Result<T, String> {
    serde_path_to_error::deserialize(Value::Object(fields)).map_err(|error| {
        let path = error.path().to_string();
        let short = shortened(&path, 64);
        let reason = plain_words(&error.inner().to_string()).replace(&path, &short);
        let reason = shortened(&reason, LONGEST_REASON);
        match reason.strip_prefix('`') {
            // An unknown field is named by the reason itself.
            Some(rest) if rest.starts_with(&short) => reason,
            // As is a field of the object within.
            Some(rest) if path == "params" => format!("`params.{rest}"),
            _ if path == "." => reason,
            _ => format!("`{short}`: {reason}"),
        }
    })
}

/// What the client sent may be repeated in a reason, and be a whole picture.
fn shortened(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        None => text.to_owned(),
        Some((end, _)) => format!("{} …", &text[..end]),
    }
}

/// An object or null. By itself serde also takes a list of the fields' values, which the contract does not.
fn object<'de, T, D>(from: D) -> Result<Option<T>, D::Error>
where
    T: DeserializeOwned,
    D: Deserializer<'de>,
{
    let Some(fields) = Option::<Map<String, Value>>::deserialize(from)? else {
        return Ok(None);
    };
    named(fields).map(Some).map_err(D::Error::custom)
}
