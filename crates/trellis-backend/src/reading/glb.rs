//! A GLB: its chunks, its JSON, every accessor inside its buffer, and the triangles of the meshes that are shown.
//!
//! ```text
//! "glTF" 2 length │ length "JSON" text │ length "BIN\0" buffer │ any further chunks
//! ```
//! Source: the Khronos glTF 2.0 specification, chapters 3.6 and 4. Compressed geometry (Draco, meshopt) and further
//! files beside the GLB are refused: no backend makes them, and nothing here could look into them.

use std::collections::HashMap;
use std::io::{Read, Seek, SeekFrom};

use trellis_core::plain_words;
use trellis_provenance::glb::MAX_TEXT_BYTES;

use super::extent::{Extent, FARTHEST};
use super::glb_json::{Document, Primitive, View};
use super::{Unfit, fill, implausible, point, rows, unreadable};

const TRIANGLES: u32 = 4;
/// Strips and fans: each further vertex is a triangle.
const JOINED: [u32; 2] = [5, 6];
const FLOAT: u32 = 5126;
/// The specification's own limit.
const LONGEST_STRIDE: u64 = 252;
/// How often all of the buffer may be gone through: accessors may share it, and a million of them may do so on purpose.
const PASSES: u64 = 4;

pub(super) fn look(source: &mut (impl Read + Seek), size: u64) -> Result<(), Unfit> {
    let chunks = chunks(source, size)?;
    let mut text = vec![0; chunks.text_bytes];
    source.seek(SeekFrom::Start(20))?;
    fill(source, &mut text)?;
    let document: Document = serde_json::from_slice(&text)
        .map_err(|error| unreadable(format!("its JSON: {}", plain_words(&error.to_string()))))?;
    drop(text);
    let mut reader = Reader {
        source,
        buffer_at: chunks.buffer_at,
        document: &document,
        left: chunks.buffer_bytes.saturating_mul(PASSES),
        largest: HashMap::new(),
        seen: HashMap::new(),
        extent: Extent::new(),
    };
    structure(&document, chunks.buffer_bytes)?;
    let triangles = reader.triangles()?;
    if triangles == 0 {
        return Err(implausible("it has no triangles"));
    }
    reader.extent.finish()
}

struct Chunks {
    text_bytes: usize,
    buffer_at: u64,
    buffer_bytes: u64,
}

fn chunks(source: &mut (impl Read + Seek), size: u64) -> Result<Chunks, Unfit> {
    let mut head = [0; 12];
    if size < 20 {
        return Err(unreadable("it is not a GLB (version 2)"));
    }
    fill(source, &mut head)?;
    let number = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    if head[..4] != *b"glTF" || number(4) != 2 {
        return Err(unreadable("it is not a GLB (version 2)"));
    }
    if u64::from(number(8)) != size {
        let named = number(8);
        return Err(unreadable(format!(
            "its header names {named} bytes, and it has {size}"
        )));
    }
    let (mut at, mut found) = (
        12,
        Chunks {
            text_bytes: 0,
            buffer_at: 0,
            buffer_bytes: 0,
        },
    );
    for index in 0_u32.. {
        if at == size {
            break;
        }
        let mut head = [0; 8];
        source.seek(SeekFrom::Start(at))?;
        fill(source, &mut head)?;
        let bytes = u64::from(u32::from_le_bytes([head[0], head[1], head[2], head[3]]));
        at += 8;
        if at + bytes > size {
            return Err(unreadable("a chunk is longer than the file"));
        }
        match (index, &head[4..]) {
            (0, b"JSON") if bytes <= MAX_TEXT_BYTES.into() => {
                found.text_bytes = usize::try_from(bytes).unwrap_or_default();
            }
            (0, _) => return Err(unreadable("it does not begin with its JSON")),
            (1, b"BIN\0") => (found.buffer_at, found.buffer_bytes) = (at, bytes),
            // Chunks of extensions.
            _ => {}
        }
        at += bytes;
    }
    Ok(found)
}

/// Whether every part lies inside what it is a part of.
fn structure(document: &Document, buffer_bytes: u64) -> Result<(), Unfit> {
    if !document.asset.version.starts_with("2.") {
        return Err(unreadable("it is not of glTF 2"));
    }
    for (index, buffer) in document.buffers.iter().enumerate() {
        if index > 0 || buffer.uri.is_some() {
            return Err(unreadable("it needs another file"));
        }
        if buffer.byte_length > buffer_bytes {
            return Err(unreadable("its buffer is longer than the file"));
        }
    }
    for view in &document.buffer_views {
        let buffer = document.buffers.get(view.buffer);
        let buffer = buffer.ok_or_else(|| unreadable("a view is of a buffer that does not exist"))?;
        let end = view.byte_offset.checked_add(view.byte_length);
        if end.is_none_or(|end| end > buffer.byte_length) {
            return Err(unreadable("a view reaches beyond its buffer"));
        }
    }
    for index in 0..document.accessors.len() {
        if document.accessors[index].sparse.is_some() {
            return Err(unreadable("it has sparse accessors"));
        }
        place(document, index)?;
    }
    for image in &document.images {
        let exists = |view: usize| view < document.buffer_views.len();
        if !image.buffer_view.is_some_and(exists) {
            return Err(unreadable("a texture is not in the file"));
        }
    }
    for node in &document.nodes {
        let numbers = node.matrix.iter().chain(&node.translation).chain(&node.scale);
        // Not a number is not within either.
        if !numbers.copied().all(|number| number.abs() <= FARTHEST) {
            return Err(implausible("a node moves or scales its mesh much too far"));
        }
    }
    Ok(())
}

/// Where an accessor's elements are.
struct Place {
    /// From the beginning of the buffer.
    at: u64,
    count: u64,
    element_bytes: u64,
    /// From one element to the next.
    stride: u64,
}

fn place(document: &Document, index: usize) -> Result<Place, Unfit> {
    let accessor = document.accessors.get(index);
    let accessor = accessor.ok_or_else(|| unreadable("a mesh needs an accessor that does not exist"))?;
    let element_bytes = accessor.element_bytes();
    let element_bytes = element_bytes.ok_or_else(|| unreadable("an accessor is of an unknown type"))?;
    let view: Option<&View> = accessor
        .buffer_view
        .and_then(|view| document.buffer_views.get(view));
    let view = view.ok_or_else(|| unreadable("an accessor has no data"))?;
    let stride = view.byte_stride.unwrap_or(element_bytes);
    if stride < element_bytes || stride > LONGEST_STRIDE.max(element_bytes) {
        return Err(unreadable(
            "the elements of an accessor overlap or are too far apart",
        ));
    }
    let end = accessor.count.saturating_sub(1).checked_mul(stride);
    let end = end.and_then(|last| last.checked_add(element_bytes)?.checked_add(accessor.byte_offset));
    if end.is_none_or(|end| end > view.byte_length) {
        return Err(unreadable("an accessor reaches beyond its view"));
    }
    Ok(Place {
        at: view.byte_offset + accessor.byte_offset,
        count: accessor.count,
        element_bytes,
        stride,
    })
}

struct Reader<'a, S> {
    source: &'a mut S,
    buffer_at: u64,
    document: &'a Document,
    /// How many bytes may still be read.
    left: u64,
    /// The largest number in each accessor of vertex numbers that was read.
    largest: HashMap<usize, u64>,
    /// How many vertices each accessor of positions has that was read.
    seen: HashMap<usize, u64>,
    extent: Extent,
}

impl<S: Read + Seek> Reader<'_, S> {
    /// Goes through the meshes that some node shows; how many triangles they have.
    fn triangles(&mut self) -> Result<u64, Unfit> {
        let mut shown: Vec<usize> = self.document.nodes.iter().filter_map(|node| node.mesh).collect();
        shown.sort_unstable();
        shown.dedup();
        let mut triangles = 0;
        for mesh in shown {
            let mesh = self.document.meshes.get(mesh);
            let mesh = mesh.ok_or_else(|| unreadable("a node shows a mesh that does not exist"))?;
            for primitive in &mesh.primitives {
                triangles += self.primitive(primitive)?;
            }
        }
        Ok(triangles)
    }

    fn primitive(&mut self, primitive: &Primitive) -> Result<u64, Unfit> {
        let position = primitive.attributes.position;
        let position = position.ok_or_else(|| unreadable("a mesh has no positions"))?;
        let vertices = self.positions(position)?;
        let corners = match primitive.indices {
            None => vertices,
            Some(indices) => {
                if self.largest(indices)? >= vertices {
                    return Err(unreadable("a triangle names a vertex that does not exist"));
                }
                self.document.accessors[indices].count
            }
        };
        Ok(match primitive.mode.unwrap_or(TRIANGLES) {
            TRIANGLES => corners / 3,
            mode if JOINED.contains(&mode) => corners.saturating_sub(2),
            _ => 0,
        })
    }

    fn positions(&mut self, index: usize) -> Result<u64, Unfit> {
        if let Some(vertices) = self.seen.get(&index) {
            return Ok(*vertices);
        }
        let place = place(self.document, index)?;
        let accessor = &self.document.accessors[index];
        if accessor.component_type != FLOAT || accessor.shape != "VEC3" {
            return Err(unreadable(
                "its positions are not three floating-point numbers each",
            ));
        }
        let mut extent = std::mem::replace(&mut self.extent, Extent::new());
        self.each(&place, |element| extent.add(point(element)))?;
        self.extent = extent;
        self.seen.insert(index, place.count);
        Ok(place.count)
    }

    fn largest(&mut self, index: usize) -> Result<u64, Unfit> {
        if let Some(largest) = self.largest.get(&index) {
            return Ok(*largest);
        }
        let place = place(self.document, index)?;
        let accessor = &self.document.accessors[index];
        if !matches!(accessor.component_type, 5121 | 5123 | 5125) || accessor.shape != "SCALAR" {
            return Err(unreadable("its vertex numbers are not whole numbers"));
        }
        let mut largest = 0;
        self.each(&place, |element| {
            let mut number = [0; 4];
            number[..element.len()].copy_from_slice(element);
            largest = largest.max(u64::from(u32::from_le_bytes(number)));
            Ok(())
        })?;
        self.largest.insert(index, largest);
        Ok(largest)
    }

    /// Calls `take` with each element.
    fn each(&mut self, place: &Place, mut take: impl FnMut(&[u8]) -> Result<(), Unfit>) -> Result<(), Unfit> {
        let Some(before_last) = place.count.checked_sub(1) else {
            return Ok(());
        };
        // Both fit in the view, which fits in the file.
        let bytes = before_last * place.stride + place.element_bytes;
        self.left = self
            .left
            .checked_sub(bytes)
            .ok_or_else(|| unreadable("its meshes share their data too often to be read"))?;
        self.source.seek(SeekFrom::Start(self.buffer_at + place.at))?;
        let element = usize::try_from(place.element_bytes).unwrap_or_default();
        let stride = usize::try_from(place.stride).unwrap_or_default();
        rows(self.source, before_last, stride, |row| take(&row[..element]))?;
        // After the last one the view may end.
        rows(self.source, 1, element, take)
    }
}
