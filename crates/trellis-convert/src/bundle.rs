//! The files of an OBJ together: in a zip, or side by side under another name.

use std::io::{Cursor, Read as _, Write as _};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::ConvertError;
use crate::text::{STEM, token};

/// The most that is taken out of a zip, 2 GiB: TRELLIS's finest mesh has some hundred megabytes as text.
const MAX_BYTES: u64 = 2 << 30;

/// The files of an OBJ: first the OBJ itself, then what it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// In the order in which they are listed to people.
    pub files: Vec<File>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its name without folders.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl File {
    pub(crate) fn new(ending: &str, bytes: Vec<u8>) -> Self {
        let name = format!("{STEM}.{ending}");
        Self { name, bytes }
    }
}

impl Bundle {
    /// One zip file: text deflated, PNG as it is, no times.
    pub fn to_zip(&self) -> Result<Vec<u8>, ConvertError> {
        let failed = |source| ConvertError::Zip { source };
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for file in &self.files {
            let method = match file.name.rsplit_once('.') {
                Some((_, "png")) => CompressionMethod::Stored,
                _ => CompressionMethod::Deflated,
            };
            let options = SimpleFileOptions::default()
                .compression_method(method)
                .last_modified_time(zip::DateTime::default())
                .unix_permissions(0o644);
            zip.start_file(file.name.as_str(), options).map_err(failed)?;
            zip.write_all(&file.bytes).map_err(|error| failed(error.into()))?;
        }
        Ok(zip.finish().map_err(failed)?.into_inner())
    }

    /// What [`Bundle::to_zip`] made; a zip of another origin is refused where it holds anything else.
    pub fn from_zip(bytes: &[u8]) -> Result<Self, ConvertError> {
        let failed = |source| ConvertError::Zip { source };
        let mut zip = ZipArchive::new(Cursor::new(bytes)).map_err(failed)?;
        let mut files = Vec::new();
        let mut left = MAX_BYTES;
        for index in 0..zip.len() {
            let entry = zip.by_index(index).map_err(failed)?;
            let name = entry.name().map_err(failed)?.into_owned();
            if !is_ours(&name) {
                return Err(ConvertError::Foreign {
                    name: name.chars().take(100).collect(),
                });
            }
            let mut bytes = Vec::new();
            let read = entry.take(left + 1).read_to_end(&mut bytes);
            read.map_err(|error| failed(error.into()))?;
            left = left
                .checked_sub(bytes.len() as u64)
                .ok_or(ConvertError::TooLarge { limit: MAX_BYTES })?;
            files.push(File { name, bytes });
        }
        Ok(Self { files })
    }

    /// The same files as `STEM.obj` and what goes with it, each naming the others by their new names.
    /// A blank in the stem is a `_` in all names but the OBJ's, because readers split at it.
    #[must_use]
    pub fn renamed(self, stem: &str) -> Self {
        let safe = token(stem);
        let rename = |file: File| {
            let ending = file.name.strip_prefix(STEM).unwrap_or(&file.name);
            match ending {
                ".obj" => File {
                    name: format!("{stem}.obj"),
                    bytes: with_reference(&file.bytes, "mtllib", &safe),
                },
                ".mtl" => File {
                    name: format!("{safe}.mtl"),
                    bytes: with_reference(&file.bytes, "map_Kd", &safe),
                },
                ending => File {
                    name: format!("{safe}{ending}"),
                    bytes: file.bytes,
                },
            }
        };
        Self {
            files: self.files.into_iter().map(rename).collect(),
        }
    }
}

/// `model.obj`, `model.texture.png` and the like: never a path.
fn is_ours(name: &str) -> bool {
    let ending = name.strip_prefix(STEM).and_then(|rest| rest.strip_prefix('.'));
    ending.is_some_and(|ending| match ending.rsplit_once('.') {
        None => matches!(ending, "obj" | "mtl"),
        Some((texture, "png")) => {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            texture.starts_with("texture") && texture.bytes().all(plain)
        }
        Some(_) => false,
    })
}

/// The text with another stem in the lines that begin with `keyword`.
fn with_reference(text: &[u8], keyword: &str, stem: &str) -> Vec<u8> {
    let old = format!("{keyword} {STEM}.");
    let mut out = Vec::with_capacity(text.len() + stem.len());
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_prefix(old.as_bytes()) {
            Some(ending) => {
                out.extend_from_slice(format!("{keyword} {stem}.").as_bytes());
                out.extend_from_slice(ending);
            }
            None => out.extend_from_slice(line),
        }
    }
    out
}
