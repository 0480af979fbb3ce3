//! Puts a record into a GLB's `asset.extras.provenance` and reads it from there.
//!
//! ```text
//! "glTF" 2 length │ length "JSON" text, padded by spaces │ any further chunks
//! ```
//! Source: the Khronos glTF 2.0 specification, chapter 4 (GLB) and 3.4 (asset). Only the text is held in
//! memory, up to [`MAX_TEXT_BYTES`]; the chunks after it are copied as they are, whatever their size.

use std::io::{self, Read, Write};

use serde_json::value::{RawValue, to_raw_value};
use trellis_core::Provenance;

use crate::members::Members;

/// The longest JSON text that is taken, 64 MiB: a scene of a million nodes. A single mesh has some kilobytes.
pub const MAX_TEXT_BYTES: u32 = 64 << 20;

const MAGIC: &[u8; 4] = b"glTF";
const JSON: &[u8; 4] = b"JSON";
const HEADER: usize = 12;
const CHUNK_HEADER: usize = 8;
const NAME: &str = "provenance";

/// Why a GLB cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says what its fields are")]
pub enum GlbError {
    #[error("this is not a GLB (version 2)")]
    NotGlb,
    #[error("its JSON has {bytes} bytes; the limit is {MAX_TEXT_BYTES}")]
    TextTooLong { bytes: u32 },
    /// It ends before or after it.
    #[error("its length is not the one that its header names")]
    Length,
    #[error("it would be longer than a GLB may be")]
    TooLong,
    #[error("its JSON is not that of an asset")]
    Text { source: serde_json::Error },
    #[error("it carries no provenance")]
    Absent,
    #[error("its provenance cannot be read")]
    Record { source: serde_json::Error },
    #[error("it cannot be read or written")]
    Io { source: io::Error },
}

/// Copies a GLB and writes the record into it, in the place of one that is there. Everything else stays as it
/// was. Returns its new size.
pub fn stamp(
    source: &mut impl Read,
    sink: &mut impl Write,
    provenance: &Provenance,
) -> Result<u64, GlbError> {
    let opened = open(source)?;
    let mut text = stamped(&opened.text, provenance).map_err(|source| GlbError::Text { source })?;
    text.resize(text.len().next_multiple_of(4), b' ');
    let length = HEADER as u64 + CHUNK_HEADER as u64 + text.len() as u64 + opened.rest_bytes;
    let (Ok(length_field), Ok(text_field)) = (u32::try_from(length), u32::try_from(text.len())) else {
        return Err(GlbError::TooLong);
    };
    let mut head = Vec::with_capacity(HEADER + CHUNK_HEADER);
    head.extend_from_slice(MAGIC);
    for number in [2, length_field, text_field] {
        head.extend_from_slice(&number.to_le_bytes());
    }
    head.extend_from_slice(JSON);
    let failed = |source| GlbError::Io { source };
    sink.write_all(&head).map_err(failed)?;
    sink.write_all(&text).map_err(failed)?;
    let copied = io::copy(&mut source.by_ref().take(opened.rest_bytes), sink).map_err(failed)?;
    let more = source.read(&mut [0]).map_err(failed)?;
    if copied != opened.rest_bytes || more != 0 {
        return Err(GlbError::Length);
    }
    Ok(length)
}

/// The record that a GLB carries. Reads no further than its text.
pub fn read(source: &mut impl Read) -> Result<Provenance, GlbError> {
    let opened = open(source)?;
    let text = |source| GlbError::Text { source };
    let document: Members = serde_json::from_slice(&opened.text).map_err(text)?;
    let asset: Members =
        serde_json::from_str(document.get("asset").ok_or(GlbError::Absent)?.get()).map_err(text)?;
    // Extras of any other kind are allowed, and none of ours.
    let extras = asset.get("extras").map(RawValue::get).unwrap_or_default();
    let extras: Members = serde_json::from_str(extras).map_err(|_| GlbError::Absent)?;
    let record = extras.get(NAME).ok_or(GlbError::Absent)?;
    serde_json::from_str(record.get()).map_err(|source| GlbError::Record { source })
}

struct Opened {
    text: Vec<u8>,
    /// What comes after the text.
    rest_bytes: u64,
}

/// Reads up to the end of the text.
fn open(source: &mut impl Read) -> Result<Opened, GlbError> {
    let mut head = [0; HEADER + CHUNK_HEADER];
    read_all(source, &mut head)?;
    let number = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    if head[..4] != *MAGIC || number(4) != 2 || head[16..20] != *JSON {
        return Err(GlbError::NotGlb);
    }
    let (length, bytes) = (number(8), number(12));
    if bytes > MAX_TEXT_BYTES {
        return Err(GlbError::TextTooLong { bytes });
    }
    let before = (HEADER + CHUNK_HEADER) as u64 + u64::from(bytes);
    let rest_bytes = u64::from(length).checked_sub(before).ok_or(GlbError::Length)?;
    // Grows with what is really there, not with what is promised.
    let mut text = Vec::new();
    let read = source.by_ref().take(bytes.into()).read_to_end(&mut text);
    if read.map_err(|source| GlbError::Io { source })? != bytes as usize {
        return Err(GlbError::Length);
    }
    Ok(Opened { text, rest_bytes })
}

fn read_all(source: &mut impl Read, into: &mut [u8]) -> Result<(), GlbError> {
    source.read_exact(into).map_err(|source| match source.kind() {
        io::ErrorKind::UnexpectedEof => GlbError::NotGlb,
        _ => GlbError::Io { source },
    })
}

/// The text with the record in it.
fn stamped(text: &[u8], provenance: &Provenance) -> serde_json::Result<Vec<u8>> {
    let mut document: Members = serde_json::from_slice(text)?;
    let mut asset = match document.get("asset") {
        Some(asset) => serde_json::from_str(asset.get())?,
        None => Members::default(),
    };
    let mut extras = match asset.get("extras") {
        None => Members::default(),
        // Extras should be an object; another value is kept beside the record.
        Some(other) => serde_json::from_str(other.get()).unwrap_or_else(|_| {
            let mut members = Members::default();
            members.set("extras", other.to_owned());
            members
        }),
    };
    extras.set(NAME, to_raw_value(provenance)?);
    asset.set("extras", to_raw_value(&extras)?);
    document.set("asset", to_raw_value(&asset)?);
    serde_json::to_vec(&document)
}

#[cfg(test)]
mod tests;
