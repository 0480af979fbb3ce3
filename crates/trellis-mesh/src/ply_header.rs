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
//! Source: Greg Turk, "The PLY Polygon File Format" (1994).

/// The longest header that is read, bytes.
const MAX_BYTES: usize = 64 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Text,
    LittleEndian,
    BigEndian,
}

#[derive(Debug)]
pub(crate) struct Header {
    pub(crate) encoding: Encoding,
    pub(crate) elements: Vec<Element>,
    /// Where the rows begin.
    pub(crate) length: usize,
}

#[derive(Debug)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) count: usize,
    pub(crate) properties: Vec<Property>,
}

#[derive(Debug)]
pub(crate) struct Property {
    pub(crate) name: String,
    /// The type of a list's length, where it is a list.
    pub(crate) length: Option<Number>,
    pub(crate) number: Number,
}

/// How a number is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Number {
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

    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// The number in as many bytes as it has, the lowest first.
    pub(crate) fn read(self, bytes: [u8; 8]) -> f64 {
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
    /// Which of a row's values is called so, among those before the first list.
    pub(crate) fn value(&self, names: &[&str]) -> Option<usize> {
        let scalars = self
            .properties
            .iter()
            .take_while(|property| property.length.is_none());
        scalars
            .enumerate()
            .find_map(|(at, property)| names.contains(&property.name.as_str()).then_some(at))
    }
}

/// Reads up to the end of the header; `None` where it is not one.
pub(crate) fn read(ply: &[u8]) -> Option<Header> {
    let text = ply.get(..MAX_BYTES.min(ply.len()))?;
    let mut header = Header {
        encoding: Encoding::Text,
        elements: Vec::new(),
        length: 0,
    };
    for (number, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
        header.length += line.len();
        let line = std::str::from_utf8(line.strip_suffix(b"\n")?).ok()?;
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        match (number, words.as_slice()) {
            (1.., ["end_header"]) => {
                // Rows without values take no bytes, so that nothing would bound their number.
                let has_rows = |element: &Element| element.count == 0 || !element.properties.is_empty();
                return header.elements.iter().all(has_rows).then_some(header);
            }
            (0, ["ply"]) | (1.., ["comment" | "obj_info", ..] | []) => {}
            (1.., ["format", encoding, "1.0"]) => {
                header.encoding = match *encoding {
                    "ascii" => Encoding::Text,
                    "binary_little_endian" => Encoding::LittleEndian,
                    "binary_big_endian" => Encoding::BigEndian,
                    _ => return None,
                };
            }
            (1.., ["element", name, count]) => header.elements.push(Element {
                name: (*name).to_owned(),
                count: count.parse().ok()?,
                properties: Vec::new(),
            }),
            (1.., ["property", words @ ..]) => {
                let property = property(words)?;
                header.elements.last_mut()?.properties.push(property);
            }
            _ => return None,
        }
    }
    None
}

fn property(words: &[&str]) -> Option<Property> {
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
    Some(Property {
        name: (*name).to_owned(),
        length,
        number: Number::named(number)?,
    })
}
