//! The header of a PLY: its encoding, and which properties its elements have.
//!
//! ```text
//! ply
//! format binary_little_endian 1.0
//! element vertex 8
//! property float x
//! element face 12
//! property list uchar int vertex_indices
//! end_header
//! ```
//! Source: Greg Turk, "The PLY Polygon File Format" (1994). Not here: the rows after it.

use std::io::{self, BufRead, Read as _};

/// The longest header that is read, bytes. One of Gaussians has some 70 properties.
const MAX_BYTES: u64 = 64 << 10;

/// Why a header is not read.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says what it is")]
pub enum HeaderError {
    #[error("it is not a PLY")]
    NotPly,
    #[error("its header is cut short")]
    CutShort,
    #[error("its header is not that of a PLY")]
    UnknownLine,
    #[error("an element has no count")]
    NoCount,
    #[error("an element has rows without values")]
    EmptyRows,
    #[error("a property is of an unknown type")]
    UnknownType,
    #[error("a property is of no element")]
    NoElement,
    #[error("it cannot be read")]
    Io(#[from] io::Error),
}

/// How the rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Encoding {
    Text,
    LittleEndian,
    BigEndian,
}

/// What a header says of the rows that follow it.
#[derive(Debug)]
pub struct Header {
    /// How the rows are written; text where the header does not say.
    pub encoding: Encoding,
    /// In the order of their rows.
    pub elements: Vec<Element>,
    /// The header's own length, bytes. The rows begin there.
    pub bytes: u64,
}

/// Rows of one kind, such as `vertex` or `face`.
#[derive(Debug)]
pub struct Element {
    /// As written.
    pub name: String,
    /// How many rows. Whatever the header promises: nothing has been read of them.
    pub count: u64,
    /// In the order of a row's values.
    pub properties: Vec<Property>,
}

/// A value, or a list of values, of each row.
#[derive(Debug)]
pub struct Property {
    /// As written.
    pub name: String,
    /// The type of a list's length, where it is a list.
    pub length: Option<Number>,
    /// The type of the value, or of a list's items.
    pub number: Number,
}

/// How a number is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as Rust's types")]
pub enum Number {
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    F32,
    F64,
}

impl Number {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "char" | "int8" => Self::I8,
            "uchar" | "uint8" => Self::U8,
            "short" | "int16" => Self::I16,
            "ushort" | "uint16" => Self::U16,
            "int" | "int32" => Self::I32,
            "uint" | "uint32" => Self::U32,
            "float" | "float32" => Self::F32,
            "double" | "float64" => Self::F64,
            _ => return None,
        })
    }

    /// How many bytes it takes in a binary file.
    pub fn bytes(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// The number in the first of these bytes, as many as it takes, the lowest first.
    pub fn read(self, bytes: [u8; 8]) -> f64 {
        let [a, b, c, d, ..] = bytes;
        match self {
            Self::I8 => i8::from_le_bytes([a]).into(),
            Self::U8 => a.into(),
            Self::I16 => i16::from_le_bytes([a, b]).into(),
            Self::U16 => u16::from_le_bytes([a, b]).into(),
            Self::I32 => i32::from_le_bytes([a, b, c, d]).into(),
            Self::U32 => u32::from_le_bytes([a, b, c, d]).into(),
            Self::F32 => f32::from_le_bytes([a, b, c, d]).into(),
            Self::F64 => f64::from_le_bytes(bytes),
        }
    }
}

impl Element {
    /// Which of a row's values has one of these names, among those before the first list.
    pub fn value(&self, names: &[&str]) -> Option<usize> {
        let scalars = self
            .properties
            .iter()
            .take_while(|property| property.length.is_none());
        scalars
            .enumerate()
            .find_map(|(at, property)| names.contains(&property.name.as_str()).then_some(at))
    }
}

impl Header {
    /// Reads up to the end of the header, and leaves the source at the first row.
    pub fn read(source: &mut impl BufRead) -> Result<Self, HeaderError> {
        let mut header = Self {
            encoding: Encoding::Text,
            elements: Vec::new(),
            bytes: 0,
        };
        let mut line = Vec::new();
        let first = header.line(source, &mut line)?;
        if first.is_none_or(|text| text.trim_ascii() != "ply") {
            return Err(HeaderError::NotPly);
        }
        loop {
            let text = header.line(source, &mut line)?.ok_or(HeaderError::CutShort)?;
            let words: Vec<&str> = text.split_ascii_whitespace().collect();
            match words.as_slice() {
                ["end_header"] => break,
                ["comment" | "obj_info", ..] | [] => {}
                ["format", encoding, "1.0"] => {
                    header.encoding = Encoding::named(encoding).ok_or(HeaderError::UnknownLine)?;
                }
                ["element", name, count] => header.elements.push(Element {
                    name: (*name).to_owned(),
                    count: count.parse().map_err(|_| HeaderError::NoCount)?,
                    properties: Vec::new(),
                }),
                ["property", words @ ..] => {
                    let property = Property::of(words).ok_or(HeaderError::UnknownType)?;
                    let element = header.elements.last_mut().ok_or(HeaderError::NoElement)?;
                    element.properties.push(property);
                }
                _ => return Err(HeaderError::UnknownLine),
            }
        }
        // Rows without values take no bytes, so that nothing would bound their number.
        let has_rows = |element: &Element| element.count == 0 || !element.properties.is_empty();
        if header.elements.iter().all(has_rows) {
            Ok(header)
        } else {
            Err(HeaderError::EmptyRows)
        }
    }

    /// The next line without its end; `None` where it has none within the limit, or is not text.
    fn line<'a>(&mut self, source: &mut impl BufRead, line: &'a mut Vec<u8>) -> io::Result<Option<&'a str>> {
        line.clear();
        let left = MAX_BYTES - self.bytes;
        self.bytes += source.by_ref().take(left).read_until(b'\n', line)? as u64;
        let text = line.strip_suffix(b"\n");
        Ok(text.and_then(|text| std::str::from_utf8(text).ok()))
    }
}

impl Encoding {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "ascii" => Self::Text,
            "binary_little_endian" => Self::LittleEndian,
            "binary_big_endian" => Self::BigEndian,
            _ => return None,
        })
    }
}

impl Property {
    fn of(words: &[&str]) -> Option<Self> {
        let (length, number, name) = match words {
            ["list", length, number, name] => {
                let length = Number::named(length)?;
                if matches!(length, Number::F32 | Number::F64) {
                    return None;
                }
                (Some(length), number, name)
            }
            [number, name] => (None, number, name),
            _ => return None,
        };
        Some(Self {
            name: (*name).to_owned(),
            length,
            number: Number::named(number)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_is_left_at_the_first_row() {
        let mut source = &b"ply\r\ncomment of a test\nformat binary_big_endian 1.0\n\nelement vertex 2\n\
            property double x\nproperty list uint8 ushort s\nend_header\n\x01\x02"[..];
        let length = source.len() as u64;
        let header = Header::read(&mut source).unwrap();
        assert_eq!(source, b"\x01\x02");
        assert_eq!((header.bytes, header.encoding), (length - 2, Encoding::BigEndian));
        let [vertex] = &header.elements[..] else {
            panic!("{header:?}")
        };
        assert_eq!((vertex.name.as_str(), vertex.count), ("vertex", 2));
        let types = vertex
            .properties
            .iter()
            .map(|property| (property.length, property.number));
        let types: Vec<_> = types.collect();
        assert_eq!(types, [(None, Number::F64), (Some(Number::U8), Number::U16)]);
        assert_eq!((vertex.value(&["a", "x"]), vertex.value(&["s"])), (Some(0), None));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let long = format!("comment {}", "x".repeat(1 << 20));
        for (lines, said) in [
            ("", "its header is cut short"),
            ("element vertex 1", "its header is cut short"),
            (long.as_str(), "its header is cut short"),
            ("format ascii 2.0", "its header is not that of a PLY"),
            ("format binary 1.0", "its header is not that of a PLY"),
            ("ply", "its header is not that of a PLY"),
            ("element vertex -1", "an element has no count"),
            (
                "element vertex 1\nend_header",
                "an element has rows without values",
            ),
            ("property float x", "a property is of no element"),
            (
                "element vertex 1\nproperty half x",
                "a property is of an unknown type",
            ),
            (
                "element face 1\nproperty list float int i",
                "a property is of an unknown type",
            ),
        ] {
            let header = format!("ply\n{lines}\n");
            let error = Header::read(&mut header.as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), said, "{lines:.40}");
        }
        for other in ["", "plying\n", "ply", "\u{b5}\n"] {
            let error = Header::read(&mut other.as_bytes()).unwrap_err();
            assert!(matches!(error, HeaderError::NotPly), "{other}");
        }
    }
}
