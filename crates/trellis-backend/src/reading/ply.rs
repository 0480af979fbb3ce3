//! A PLY of a mesh or of gaussians: as many rows as its header names and nothing after them, positions that are numbers,
//! faces of vertices that exist.

use std::io::{BufRead, BufReader, Read};

use trellis_mesh::ply_header::{Element, Encoding, Header, HeaderError, Number};

use super::extent::Extent;
use super::{BLOCK_BYTES, Unfit, fill, implausible, unreadable};

/// The longest line of a PLY that is text: a gaussian has some 70 numbers.
const LONGEST_LINE: u64 = 64 << 10;
/// The most corners of a face.
const MOST_CORNERS: f64 = 255.0;

/// What a PLY is to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    Mesh,
    Gaussians,
}

pub(super) fn look(source: &mut impl Read, size: u64, holds: Holds) -> Result<(), Unfit> {
    let mut source = BufReader::with_capacity(BLOCK_BYTES, source);
    let header = Header::read(&mut source).map_err(|error| match error {
        HeaderError::Io(error) => Unfit::Io(error),
        other => unreadable(other.to_string()),
    })?;
    let is_text = match header.encoding {
        Encoding::Text => true,
        Encoding::LittleEndian => false,
        Encoding::BigEndian => return Err(unreadable("it is big-endian, which no backend writes")),
    };
    let shape = Shape::of(&header, holds)?;
    if !is_text {
        enough(&header, size)?;
    }
    let mut extent = Extent::new();
    let mut row = Vec::new();
    for element in &header.elements {
        for _ in 0..element.count {
            row.clear();
            if is_text {
                text_row(&mut source, element, &mut row)?;
            } else {
                binary_row(&mut source, element, &mut row)?;
            }
            match element.name.as_str() {
                "vertex" => extent.add(shape.position.map(|at| row[at]))?,
                "face"
                    if holds == Holds::Mesh
                        && !row
                            .iter()
                            .skip(1)
                            .all(|corner| (0.0..shape.vertices).contains(corner)) =>
                {
                    return Err(unreadable("a face names a vertex that does not exist"));
                }
                _ => {}
            }
        }
    }
    let mut after = [0];
    if source.read(&mut after)? != 0 {
        return Err(unreadable("it goes on after its last row"));
    }
    extent.finish()
}

/// What is needed of the header to judge the rows.
struct Shape {
    /// Which of a vertex's properties are x, y and z.
    position: [usize; 3],
    vertices: f64,
}

impl Shape {
    fn of(header: &Header, holds: Holds) -> Result<Self, Unfit> {
        let named = |name: &str| header.elements.iter().find(|element| element.name == name);
        let vertex = named("vertex").ok_or_else(|| unreadable("it has no vertices"))?;
        if vertex.properties.iter().any(|property| property.length.is_some()) {
            return Err(unreadable("its vertices have lists"));
        }
        let mut position = [0; 3];
        for (at, name) in position.iter_mut().zip(["x", "y", "z"]) {
            let found = vertex.value(&[name]);
            *at = found.ok_or_else(|| unreadable("its vertices have no position"))?;
        }
        match holds {
            Holds::Gaussians if vertex.value(&["opacity"]).is_none() => {
                return Err(unreadable("its vertices are not gaussians"));
            }
            Holds::Gaussians if vertex.count == 0 => return Err(implausible("it has no gaussians")),
            Holds::Gaussians => {}
            Holds::Mesh => {
                let face = named("face").ok_or_else(|| unreadable("it has no faces"))?;
                if !matches!(&face.properties[..], [only] if only.length.is_some()) {
                    return Err(unreadable("its faces are not lists of vertices alone"));
                }
                if face.count == 0 {
                    return Err(implausible("it has no faces"));
                }
            }
        }
        Ok(Self {
            position,
            // No number of a vertex goes beyond.
            vertices: u32::try_from(vertex.count).unwrap_or(u32::MAX).into(),
        })
    }
}

/// Whether the file can hold as many rows as its header names, so that nothing is begun that cannot end well.
fn enough(header: &Header, size: u64) -> Result<(), Unfit> {
    let least = |element: &Element| {
        let properties = element.properties.iter();
        // A list may be empty.
        let row: usize = properties
            .map(|property| property.length.unwrap_or(property.number).bytes())
            .sum();
        element.count.checked_mul(row as u64)
    };
    let needed = header
        .elements
        .iter()
        .map(least)
        .try_fold(header.bytes, |sum, bytes| sum.checked_add(bytes?));
    if needed.is_none_or(|needed| needed > size) {
        return Err(unreadable("it is cut short"));
    }
    Ok(())
}

/// The numbers of a row, a list's length before its items.
fn binary_row(source: &mut impl Read, element: &Element, row: &mut Vec<f64>) -> Result<(), Unfit> {
    let mut bytes = [0; 8];
    let mut next = |number: Number| -> Result<f64, Unfit> {
        fill(source, &mut bytes[..number.bytes()])?;
        Ok(number.read(bytes))
    };
    for property in &element.properties {
        let first = next(property.length.unwrap_or(property.number))?;
        row.push(first);
        if property.length.is_some() {
            for _ in 0..checked(first)? {
                row.push(next(property.number)?);
            }
        }
    }
    Ok(())
}

fn text_row(source: &mut impl BufRead, element: &Element, row: &mut Vec<f64>) -> Result<(), Unfit> {
    let mut line = Vec::new();
    source.take(LONGEST_LINE).read_until(b'\n', &mut line)?;
    let text = line
        .strip_suffix(b"\n")
        .and_then(|line| std::str::from_utf8(line).ok());
    let mut words = text
        .ok_or_else(|| unreadable("it is cut short"))?
        .split_ascii_whitespace();
    let mut next = || {
        let number = words.next().and_then(|word| word.parse::<f64>().ok());
        number.ok_or_else(|| unreadable("a row has too few numbers"))
    };
    for property in &element.properties {
        let first = next()?;
        row.push(first);
        if property.length.is_some() {
            for _ in 0..checked(first)? {
                row.push(next()?);
            }
        }
    }
    if words.next().is_some() {
        return Err(unreadable("a row has too many numbers"));
    }
    Ok(())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is a whole number of at most 255"
)]
fn checked(corners: f64) -> Result<u8, Unfit> {
    if (3.0..=MOST_CORNERS).contains(&corners) && corners.fract() == 0.0 {
        return Ok(corners as u8);
    }
    Err(unreadable("a face is not a polygon"))
}
