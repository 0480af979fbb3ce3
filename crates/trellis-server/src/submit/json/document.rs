//! Reads the JSON of a submission, in whatever dialect, as it comes: pictures are decoded while they are read and handed on, the rest is
//! small and kept.
//!
//! Memory is bounded whatever the document is: all but the texts of pictures has a limit, and the first name that is
//! unknown or repeated ends the reading. Format: RFC 8259. Not here: what the fields mean.

use std::cell::Cell;
use std::io::{self, BufRead as _, BufReader, Read};
use std::rc::Rc;

use serde::de::{Error as _, Unexpected};
use serde_json::{Map, Value};
use struson::reader::{
    JsonReader as _, JsonReaderPosition, JsonStreamReader, JsonSyntaxError, ReaderError, ReaderSettings,
    SyntaxErrorKind, TransferError, ValueType,
};
use struson::writer::{JsonStreamWriter, JsonWriter as _};
use trellis_core::plain_words;

use super::super::fields::{
    LONGEST_NAME, LONGEST_REASON, MOST_JSON_BYTES, given_twice, in_short, no_text, parameter_meant,
    shortened, value, without_mark,
};
use crate::data_uri::{self, CopyError};
use crate::request_error::RequestError;

pub(super) const PLACE: &str = "the body";
/// The body is read in parts of so many bytes.
const PART_BYTES: usize = 64 << 10;
/// Objects and lists within each other; a submission has three.
const DEEPEST: u32 = 32;

/// Where a dialect has its pictures, and what else it has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// The field of the list of pictures.
    pub(crate) pictures: &'static str,
    /// The field of the mesh to be textured, where the dialect has one.
    pub(crate) mesh: Option<&'static str>,
    /// Whether the field of pictures may also be a single picture, or `null`.
    pub(crate) single: bool,
    /// Whether a picture may also be base64 without `data:` before it.
    pub(crate) bare: bool,
    /// The names of all fields; `None`: whoever reads the fields refuses what is unknown.
    pub(crate) names: Option<&'static [&'static str]>,
}

/// Takes the pictures of a document, and its mesh.
pub(super) trait Pictures {
    /// The next picture begins.
    fn begin(&mut self) -> io::Result<()>;
    /// The mesh begins.
    fn begin_mesh(&mut self) -> io::Result<()>;
    /// The next bytes of what began last.
    fn write(&mut self, bytes: Vec<u8>) -> io::Result<()>;
}

/// What a document has besides its pictures.
#[derive(Debug, Default)]
pub(crate) struct Rest {
    /// The other fields by their names.
    pub(crate) fields: Map<String, Value>,
    /// Whether it has a mesh.
    pub(crate) mesh: bool,
    /// How many pictures it has; `None`: it does not have the field for them.
    pub(crate) pictures: Option<usize>,
}

/// Why a document was not read to its end.
#[derive(Debug)]
pub(super) enum ReadError {
    /// The client's fault.
    Refused(RequestError),
    /// The body cannot be read from where it was put, or its pictures are no longer wanted.
    Io(io::Error),
}

impl From<RequestError> for ReadError {
    fn from(error: RequestError) -> Self {
        Self::Refused(error)
    }
}

/// Reads a whole document.
pub(super) fn read(source: impl Read, shape: Shape, pictures: &mut impl Pictures) -> Result<Rest, ReadError> {
    let mut source = BufReader::with_capacity(PART_BYTES, source);
    let beginning = source.fill_buf().map_err(ReadError::Io)?;
    let whole = beginning.len() < PART_BYTES;
    if let Some(reason) = no_text(without_mark(beginning)).filter(|_| whole) {
        return Err(malformed(reason));
    }
    let mark = beginning.len() - without_mark(beginning).len();
    source.consume(mark);
    let allowance = Rc::new(Allowance {
        left: Cell::new(MOST_JSON_BYTES as u64),
        spent: Cell::new(false),
        failed: Cell::new(false),
        in_picture: Cell::new(false),
    });
    let settings = ReaderSettings {
        max_nesting_depth: Some(DEEPEST),
        // Their length is limited with the rest.
        restrict_number_values: false,
        track_path: false,
        ..ReaderSettings::default()
    };
    let counted = Counted {
        source,
        allowance: Rc::clone(&allowance),
    };
    let mut document = Document {
        json: JsonStreamReader::new_custom(counted, settings),
        allowance,
        shape,
    };
    let rest = document.object(pictures)?;
    let Document { json, allowance, .. } = document;
    json.consume_trailing_whitespace()
        .map_err(|error| refused(error, &allowance))?;
    Ok(rest)
}

/// How much may be read besides pictures.
struct Allowance {
    left: Cell<u64>,
    spent: Cell<bool>,
    /// The source could not be read.
    failed: Cell<bool>,
    in_picture: Cell<bool>,
}

struct Counted<R> {
    source: R,
    allowance: Rc<Allowance>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(into);
        let length = read.inspect_err(|_| self.allowance.failed.set(true))?;
        if !self.allowance.in_picture.get() {
            let left = self.allowance.left.get().checked_sub(length as u64);
            let Some(left) = left else {
                self.allowance.spent.set(true);
                return Err(io::ErrorKind::FileTooLarge.into());
            };
            self.allowance.left.set(left);
        }
        Ok(length)
    }
}

struct Document<R: Read> {
    json: JsonStreamReader<Counted<R>>,
    allowance: Rc<Allowance>,
    shape: Shape,
}

impl<R: Read> Document<R> {
    fn object(&mut self, pictures: &mut impl Pictures) -> Result<Rest, ReadError> {
        self.expect(ValueType::Object, "", "a map")?;
        self.json.begin_object().map_err(|error| self.refused(error))?;
        let mut rest = Rest::default();
        while self.has_next()? {
            let name = self.json.next_name_owned();
            let name = name.map_err(|error| self.refused(error))?;
            self.known(&name)?;
            let is_mesh = self.shape.mesh == Some(name.as_str());
            let repeated = if name == self.shape.pictures {
                rest.pictures.is_some()
            } else if is_mesh {
                rest.mesh
            } else {
                rest.fields.contains_key(&name)
            };
            if repeated {
                return Err(invalid(plain_words(&given_twice(&shortened(
                    &name,
                    LONGEST_NAME,
                )))));
            }
            if name == self.shape.pictures {
                rest.pictures = self.pictures(pictures)?;
            } else if is_mesh {
                rest.mesh = self.mesh(&name, pictures)?;
            } else {
                let value = self.value()?;
                rest.fields.insert(name, value);
            }
        }
        self.json.end_object().map_err(|error| self.refused(error))?;
        Ok(rest)
    }

    /// Refuses the first name that is unknown, where the dialect has all its names here.
    fn known(&self, name: &str) -> Result<(), ReadError> {
        let Some(names) = self.shape.names else {
            return Ok(());
        };
        if let Some(parameter) = parameter_meant(name) {
            return Err(invalid(format!("`{parameter}` belongs in `params`")));
        }
        if names.contains(&name) {
            return Ok(());
        }
        let error = serde_json::Error::unknown_field(&shortened(name, LONGEST_NAME), names);
        Err(invalid(in_short(&error)))
    }

    /// How many there are; `None` for `null` where that is allowed.
    fn pictures(&mut self, pictures: &mut impl Pictures) -> Result<Option<usize>, ReadError> {
        let field = self.shape.pictures;
        if self.shape.single {
            match self.json.peek().map_err(|error| self.refused(error))? {
                ValueType::Null => {
                    self.json.next_null().map_err(|error| self.refused(error))?;
                    return Ok(None);
                }
                ValueType::String => return self.picture(0, pictures).map(|()| Some(1)),
                _ => {}
            }
        }
        self.expect(ValueType::Array, &format!("`{field}`: "), "a sequence")?;
        self.json.begin_array().map_err(|error| self.refused(error))?;
        let mut count = 0;
        while self.has_next()? {
            self.expect(ValueType::String, &format!("`{field}[{count}]`: "), "a string")?;
            self.picture(count, pictures)?;
            count += 1;
        }
        self.json.end_array().map_err(|error| self.refused(error))?;
        Ok(Some(count))
    }

    /// Whether there is one; `null` is as good as absent.
    fn mesh(&mut self, field: &str, pictures: &mut impl Pictures) -> Result<bool, ReadError> {
        if self.json.peek().map_err(|error| self.refused(error))? == ValueType::Null {
            self.json.next_null().map_err(|error| self.refused(error))?;
            return Ok(false);
        }
        self.expect(ValueType::String, &format!("`{field}`: "), "a string")?;
        pictures.begin_mesh().map_err(ReadError::Io)?;
        self.file(pictures, |source| RequestError::InvalidMeshUri { source })?;
        Ok(true)
    }

    fn picture(&mut self, index: usize, pictures: &mut impl Pictures) -> Result<(), ReadError> {
        pictures.begin().map_err(ReadError::Io)?;
        self.file(pictures, |source| RequestError::InvalidDataUri { index, source })
    }

    /// The bytes of a data URI; `invalid` says which one is not one.
    fn file(
        &mut self,
        pictures: &mut impl Pictures,
        invalid: impl FnOnce(data_uri::DataUriError) -> RequestError,
    ) -> Result<(), ReadError> {
        self.allowance.in_picture.set(true);
        let text = self.json.next_string_reader();
        let text = text.map_err(|error| refused(error, &self.allowance))?;
        let take = |bytes| pictures.write(bytes);
        let copied = if self.shape.bare {
            data_uri::copy_or_bare(text, take)
        } else {
            data_uri::copy(text, take)
        };
        self.allowance.in_picture.set(false);
        copied.map_err(|error| match error {
            CopyError::Uri(source) => invalid(source).into(),
            CopyError::Io(error) => self.broken(error),
        })
    }

    /// The next value as a whole.
    fn value(&mut self) -> Result<Value, ReadError> {
        let mut text = Vec::new();
        let mut writer = JsonStreamWriter::new(&mut text);
        self.json.transfer_to(&mut writer).map_err(|error| match error {
            TransferError::ReaderError(error) => self.refused(error),
            TransferError::WriterError(error) => ReadError::Io(error),
        })?;
        writer.finish_document().map_err(ReadError::Io)?;
        Ok(value(PLACE, &text)?)
    }

    fn has_next(&mut self) -> Result<bool, ReadError> {
        self.json.has_next().map_err(|error| self.refused(error))
    }

    /// Refuses a value of another type in the words that serde has for it; `about` begins the reason.
    fn expect(&mut self, expected: ValueType, about: &str, in_words: &'static str) -> Result<(), ReadError> {
        let found = self.json.peek().map_err(|error| self.refused(error))?;
        if found == expected {
            return Ok(());
        }
        let text;
        let unexpected = match found {
            ValueType::Array => Unexpected::Seq,
            ValueType::Object => Unexpected::Map,
            ValueType::Null => Unexpected::Unit,
            ValueType::Boolean => {
                Unexpected::Bool(self.json.next_bool().map_err(|error| self.refused(error))?)
            }
            ValueType::Number => {
                let number = self.json.next_number_as_str();
                let number = number.map_err(|error| refused(error, &self.allowance))?;
                let whole = number.parse().map(Unexpected::Unsigned);
                whole
                    .or_else(|_| number.parse().map(Unexpected::Signed))
                    .or_else(|_| number.parse().map(Unexpected::Float))
                    .unwrap_or(Unexpected::Other("a number"))
            }
            ValueType::String => {
                text = self.beginning()?;
                Unexpected::Str(&text)
            }
        };
        let error = serde_json::Error::invalid_type(unexpected, &in_words);
        Err(invalid(shortened(
            &format!("{about}{}", plain_words(&error.to_string())),
            LONGEST_REASON,
        )))
    }

    /// The beginning of a text, as much as a reason repeats.
    fn beginning(&mut self) -> Result<String, ReadError> {
        let mut beginning = Vec::new();
        let text = self.json.next_string_reader();
        let text = text.map_err(|error| refused(error, &self.allowance))?;
        // A character has four bytes at most.
        let read = text.take(4 * LONGEST_REASON as u64).read_to_end(&mut beginning);
        read.map_err(|error| self.broken(error))?;
        Ok(String::from_utf8_lossy(&beginning).into_owned())
    }

    fn refused(&self, error: ReaderError) -> ReadError {
        refused(error, &self.allowance)
    }

    /// While a text was read: it is not JSON, it has no end, or nobody takes what is in it.
    fn broken(&self, error: io::Error) -> ReadError {
        match error.downcast::<JsonSyntaxError>() {
            _ if self.allowance.spent.get() => too_long(),
            Ok(error) => at(syntax(error.kind), &error.location),
            Err(error) if error.kind() == io::ErrorKind::Other && !self.allowance.failed.get() => {
                // What else the reader says of a text that it could read.
                at("invalid unicode code point", &self.json.current_position(false))
            }
            Err(error) => ReadError::Io(error),
        }
    }
}

fn invalid(reason: String) -> ReadError {
    let place = PLACE;
    RequestError::InvalidJson { place, reason }.into()
}

fn malformed(reason: impl Into<String>) -> ReadError {
    let (place, reason) = (PLACE, reason.into());
    RequestError::MalformedJson { place, reason }.into()
}

fn too_long() -> ReadError {
    let (place, limit_bytes) = (PLACE, MOST_JSON_BYTES);
    RequestError::JsonTooLong { place, limit_bytes }.into()
}

fn refused(error: ReaderError, allowance: &Allowance) -> ReadError {
    match error {
        _ if allowance.spent.get() => too_long(),
        ReaderError::SyntaxError(error) => at(syntax(error.kind), &error.location),
        ReaderError::MaxNestingDepthExceeded { location, .. } => at("recursion limit exceeded", &location),
        // What the reader says of bytes that it could read.
        ReaderError::IoError { location, .. } if !allowance.failed.get() => {
            at("invalid unicode code point", &location)
        }
        ReaderError::IoError { error, .. } => ReadError::Io(error),
        // The types are looked at before they are read.
        other => malformed(shortened(&other.to_string(), LONGEST_REASON)),
    }
}

fn at(what: &str, location: &JsonReaderPosition) -> ReadError {
    let what = plain_words(what);
    malformed(match &location.line_pos {
        Some(place) => format!("{what} (line {}, column {})", place.line + 1, place.column + 1),
        None => what,
    })
}

/// A fault in the words of serde, which are put plainly with all others, or in plain words.
fn syntax(kind: SyntaxErrorKind) -> &'static str {
    match kind {
        SyntaxErrorKind::InvalidLiteral | SyntaxErrorKind::TrailingDataAfterLiteral => "expected ident",
        SyntaxErrorKind::UnexpectedComma | SyntaxErrorKind::TrailingCommaNotEnabled => "trailing comma",
        SyntaxErrorKind::MissingComma => "a `,` is missing",
        SyntaxErrorKind::MissingColon => "expected `:`",
        SyntaxErrorKind::MalformedNumber | SyntaxErrorKind::TrailingDataAfterNumber => "invalid number",
        SyntaxErrorKind::ExpectingMemberNameOrObjectEnd => "key must be a string",
        SyntaxErrorKind::NotEscapedControlCharacter => {
            "control character (\\u0000-\\u001F) found while parsing a string"
        }
        SyntaxErrorKind::UnknownEscapeSequence
        | SyntaxErrorKind::MalformedEscapeSequence
        | SyntaxErrorKind::UnpairedSurrogatePairEscapeSequence => "invalid escape",
        SyntaxErrorKind::IncompleteDocument => "it ends too early",
        SyntaxErrorKind::TrailingData => "trailing characters",
        // Brackets, colons and comments in the wrong place, and whatever else no value begins with.
        _ => "expected value",
    }
}

#[cfg(test)]
mod tests;
