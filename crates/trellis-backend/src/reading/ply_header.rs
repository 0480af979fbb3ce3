//! The header of a PLY: its form, and which properties its elements have.
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
//! Source: Greg Turk, "The PLY Polygon File Format" (1994). Big-endian files are refused: no backend writes them.

use std::io::{BufRead, Read as _};

use super::{Unfit, unreadable};

/// The longest header: one of gaussians has some 70 properties.
const MAX_BYTES: u64 = 64 << 10;

#[derive(Debug)]
pub(super) struct Header {
    pub(super) is_text: bool,
    pub(super) bytes: u64,
    pub(super) elements: Vec<Element>,
}

#[derive(Debug)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) count: u64,
    pub(super) properties: Vec<Property>,
}

#[derive(Debug)]
pub(super) struct Property {
    pub(super) name: String,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Scalar(Number),
    List { length: Number, item: Number },
}

/// How a number is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    Signed(usize),
    Unsigned(usize),
    Float,
    Double,
}

impl Number {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "char" | "int8" => Self::Signed(1),
            "uchar" | "uint8" => Self::Unsigned(1),
            "short" | "int16" => Self::Signed(2),
            "ushort" | "uint16" => Self::Unsigned(2),
            "int" | "int32" => Self::Signed(4),
            "uint" | "uint32" => Self::Unsigned(4),
            "float" | "float32" => Self::Float,
            "double" | "float64" => Self::Double,
            _ => return None,
        })
    }

    pub(super) fn bytes(self) -> usize {
        match self {
            Self::Signed(bytes) | Self::Unsigned(bytes) => bytes,
            Self::Float => 4,
            Self::Double => 8,
        }
    }

    /// The number in these bytes, as many as it has.
    pub(super) fn read(self, bytes: &[u8]) -> f64 {
        let mut whole = [0; 8];
        whole[..bytes.len()].copy_from_slice(bytes);
        let [a, b, c, d, ..] = whole;
        match self {
            Self::Float => f32::from_le_bytes([a, b, c, d]).into(),
            Self::Double => f64::from_le_bytes(whole),
            Self::Unsigned(_) => u32::from_le_bytes([a, b, c, d]).into(),
            Self::Signed(1) => i8::from_le_bytes([a]).into(),
            Self::Signed(2) => i16::from_le_bytes([a, b]).into(),
            Self::Signed(_) => i32::from_le_bytes([a, b, c, d]).into(),
        }
    }
}

impl Element {
    pub(super) fn property(&self, name: &str) -> Option<usize> {
        self.properties.iter().position(|property| property.name == name)
    }

    /// The bytes of a row; `None` where rows differ in length.
    pub(super) fn row_bytes(&self) -> Option<usize> {
        let bytes = |property: &Property| match property.kind {
            Kind::Scalar(number) => Some(number.bytes()),
            Kind::List { .. } => None,
        };
        self.properties.iter().map(bytes).sum()
    }
}

/// Reads up to the end of the header.
pub(super) fn read(source: &mut impl BufRead) -> Result<Header, Unfit> {
    let mut header = Header {
        is_text: false,
        bytes: 0,
        elements: Vec::new(),
    };
    let mut line = Vec::new();
    for number in 0_u32.. {
        line.clear();
        let left = MAX_BYTES - header.bytes;
        header.bytes += source.by_ref().take(left).read_until(b'\n', &mut line)? as u64;
        let text = line.strip_suffix(b"\n");
        let text = text.and_then(|line| std::str::from_utf8(line).ok());
        let text = text.ok_or_else(|| {
            unreadable(if number == 0 {
                "it is not a PLY"
            } else {
                "its header is cut short"
            })
        })?;
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        match (number, words.as_slice()) {
            (0, ["ply"]) => {}
            (0, _) => return Err(unreadable("it is not a PLY")),
            (_, ["end_header"]) => return Ok(header),
            (1, ["format", "ascii", "1.0"]) => header.is_text = true,
            (1, ["format", "binary_little_endian", "1.0"]) | (_, ["comment" | "obj_info", ..]) => {}
            (2.., ["element", name, count]) => {
                let count = count.parse().map_err(|_| unreadable("an element has no count"))?;
                header.elements.push(Element {
                    name: (*name).to_owned(),
                    count,
                    properties: Vec::new(),
                });
            }
            (2.., ["property", words @ ..]) => {
                let property =
                    property(words).ok_or_else(|| unreadable("a property is of an unknown type"))?;
                let element = header.elements.last_mut();
                element
                    .ok_or_else(|| unreadable("a property is of no element"))?
                    .properties
                    .push(property);
            }
            _ => return Err(unreadable("its header is not that of a PLY")),
        }
    }
    Err(unreadable("its header has no end"))
}

fn property(words: &[&str]) -> Option<Property> {
    let (kind, name) = match words {
        ["list", length, item, name] => {
            let length =
                Number::named(length).filter(|number| !matches!(number, Number::Float | Number::Double))?;
            (
                Kind::List {
                    length,
                    item: Number::named(item)?,
                },
                name,
            )
        }
        [number, name] => (Kind::Scalar(Number::named(number)?), name),
        _ => return None,
    };
    Some(Property {
        name: (*name).to_owned(),
        kind,
    })
}
