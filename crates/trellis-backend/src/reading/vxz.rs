//! TRELLIS.2's O-Voxel `.vxz`: a header in JSON, then for each cube of the grid an octree and its voxels' attributes.
//!
//! ```text
//! "VXZ" 0 │ where the rest begins, big-endian │ JSON │ cube … ; a cube: octree │ attribute …, each deflated by itself
//! octree: a byte for each node, depth first, a bit for each child; attribute: so many bytes for each leaf, in order
//! ```
//! Source: `o_voxel/io/vxz.py` and `src/io/svo.cpp` of microsoft/TRELLIS.2; which attributes there are, its README. The format
//! knows other compressions, filters and orders of the attributes too; the worker writes none of them, and they are refused.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Read, Seek, SeekFrom};

use flate2::read::DeflateDecoder;
use serde::Deserialize;
use trellis_core::plain_words;

use super::{BLOCK_BYTES, Unfit, fill, implausible, unreadable};

/// How the worker has it packed: compression, filter, and how attributes follow one another.
const PACKING: [&str; 3] = ["deflate", "none", "as_is"];
/// A grid of 1536 voxels a side has 216 cubes, of some hundred bytes each.
const MAX_TEXT_BYTES: u64 = 4 << 20;
/// Of a cube: below, the format's own reader fails, above, its codes have no room.
const SIDES: std::ops::RangeInclusive<u32> = 4..=1024;
/// Some hundred times what a grid of 1536 voxels a side has at a surface.
const MOST_VOXELS: u64 = 1 << 30;

/// What each voxel has, and in how many bytes.
const ATTRIBUTES: [(&str, u64); 6] = [
    ("base_color", 3),
    ("metallic", 1),
    ("roughness", 1),
    ("alpha", 1),
    ("dual_vertices", 3),
    (CROSSED, 1),
];
/// A bit for each of three edges that the surface crosses.
const CROSSED: &str = "intersected";

#[derive(Debug, Deserialize)]
struct Header {
    num_voxel: u64,
    chunk_size: u32,
    filter: String,
    compression: String,
    attr_interleave: String,
    attr: Vec<(String, u64)>,
    chunks: Vec<Chunk>,
}

#[derive(Debug, Deserialize)]
struct Chunk {
    idx: [u32; 3],
    ptr: Part,
    svo: Part,
    #[serde(flatten)]
    attributes: BTreeMap<String, Part>,
}

/// Where it begins and how long it is.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Part(u64, u64);

pub(super) fn look(source: &mut (impl Read + Seek), size: u64) -> Result<(), Unfit> {
    let (header, begin) = header(source, size)?;
    let mut of_file = Found::default();
    let mut at = begin;
    let mut cubes = HashSet::new();
    for cube in &header.chunks {
        if cube.ptr.0 != at - begin || !cubes.insert(cube.idx) {
            return Err(unreadable("its cubes do not follow one another"));
        }
        let end = at.checked_add(cube.ptr.1).filter(|end| *end <= size);
        let end = end.ok_or_else(|| unreadable("it is cut short"))?;
        cube.is_whole()?;
        let found = look_into(source, at, cube, &header, header.num_voxel - of_file.voxels)?;
        of_file.voxels += found.voxels;
        of_file.crossed |= found.crossed;
        at = end;
    }
    if at != size {
        return Err(unreadable("it has more bytes than its header names"));
    }
    if of_file.voxels != header.num_voxel {
        return Err(unreadable(format!(
            "its header names {} voxels, and it has {}",
            header.num_voxel, of_file.voxels
        )));
    }
    if of_file.voxels == 0 {
        return Err(implausible("it has no voxels"));
    }
    if of_file.crossed == 0 {
        return Err(implausible("no surface passes through its voxels"));
    }
    Ok(())
}

/// And where what follows it begins.
fn header(source: &mut impl Read, size: u64) -> Result<(Header, u64), Unfit> {
    let mut head = [0; 8];
    fill(source, &mut head)?;
    if head[..4] != *b"VXZ\0" {
        return Err(unreadable("it is not a VXZ file (version 0)"));
    }
    let begin = u64::from(u32::from_be_bytes([head[4], head[5], head[6], head[7]]));
    let bytes = begin.checked_sub(head.len() as u64);
    let bytes = bytes.filter(|bytes| begin <= size && *bytes <= MAX_TEXT_BYTES);
    let bytes = bytes.ok_or_else(|| unreadable("its header is longer than it can be"))?;
    let mut text = vec![0; usize::try_from(bytes).unwrap_or_default()];
    fill(source, &mut text)?;
    let header: Header = serde_json::from_slice(&text)
        .map_err(|error| unreadable(format!("its header: {}", plain_words(&error.to_string()))))?;
    header.is_understood()?;
    Ok((header, begin))
}

impl Header {
    fn is_understood(&self) -> Result<(), Unfit> {
        let packing = [&self.compression, &self.filter, &self.attr_interleave];
        if packing != PACKING {
            return Err(unreadable(format!(
                "it is packed in another way than {PACKING:?}"
            )));
        }
        if !self.chunk_size.is_power_of_two() || !SIDES.contains(&self.chunk_size) {
            return Err(unreadable("its cubes have another side than the format allows"));
        }
        if self.num_voxel > MOST_VOXELS {
            return Err(unreadable("it names more voxels than it can have"));
        }
        let named = self.attr.iter().map(|(name, width)| (name.as_str(), *width));
        if !named.eq(ATTRIBUTES) {
            return Err(unreadable("its voxels have other attributes than TRELLIS.2's"));
        }
        Ok(())
    }
}

impl Chunk {
    /// Whether its parts lie in it one after another.
    fn is_whole(&self) -> Result<(), Unfit> {
        let attributes = ATTRIBUTES.iter().map(|(name, _)| self.attributes.get(*name));
        let mut end = 0_u64;
        for part in std::iter::once(Some(&self.svo)).chain(attributes) {
            let Part(at, bytes) = *part.ok_or_else(|| unreadable("a cube lacks an attribute"))?;
            end = at
                .checked_add(bytes)
                .filter(|_| at == end)
                .ok_or_else(|| unreadable("the parts of a cube do not follow one another"))?;
        }
        if end == self.ptr.1 {
            Ok(())
        } else {
            Err(unreadable("a cube is longer or shorter than its parts"))
        }
    }
}

/// What a cube has, and in the end the file.
#[derive(Debug, Default)]
struct Found {
    voxels: u64,
    /// The edges that the surface crosses, of all voxels together.
    crossed: u8,
}

/// Looks into a cube that begins at `at` and has `most` voxels at most.
fn look_into(
    source: &mut (impl Read + Seek),
    at: u64,
    cube: &Chunk,
    header: &Header,
    most: u64,
) -> Result<Found, Unfit> {
    let mut octree = Octree::new(header.chunk_size.ilog2(), most);
    inflate(source, at, cube.svo, |bytes| {
        bytes.iter().try_for_each(|node| octree.add(*node))
    })?;
    let mut found = Found {
        voxels: octree.finish()?,
        crossed: 0,
    };
    for (name, width) in ATTRIBUTES {
        let mut left = found.voxels * width;
        let wrong = || unreadable(format!("`{name}` has more or fewer values than there are voxels"));
        inflate(source, at, cube.attributes[name], |bytes| {
            left = left.checked_sub(bytes.len() as u64).ok_or_else(wrong)?;
            if name == CROSSED {
                found.crossed = bytes.iter().fold(found.crossed, |all, byte| all | byte);
            }
            Ok(())
        })?;
        if left > 0 {
            return Err(wrong());
        }
    }
    if found.crossed > 0b111 {
        return Err(unreadable("a voxel has more than three edges"));
    }
    Ok(found)
}

/// An octree as its nodes come.
struct Octree {
    depth: usize,
    /// How many nodes are still to come at each level that is open; the root first.
    open: Vec<u32>,
    leaves: u64,
    most: u64,
}

impl Octree {
    fn new(depth: u32, most: u64) -> Self {
        Self {
            depth: depth as usize,
            open: vec![1],
            leaves: 0,
            most,
        }
    }

    fn add(&mut self, node: u8) -> Result<(), Unfit> {
        let wrong = || unreadable("an octree of its voxels is damaged");
        let level = self.open.len();
        let expected = self.open.last_mut().ok_or_else(wrong)?;
        *expected -= 1;
        match node.count_ones() {
            0 => return Err(wrong()),
            children if level == self.depth => self.leaves += u64::from(children),
            children => self.open.push(children),
        }
        while self.open.last() == Some(&0) {
            self.open.pop();
        }
        if self.leaves > self.most {
            Err(wrong())
        } else {
            Ok(())
        }
    }

    /// How many voxels it has.
    fn finish(self) -> Result<u64, Unfit> {
        if self.open.is_empty() {
            Ok(self.leaves)
        } else {
            Err(unreadable("an octree of its voxels is cut short"))
        }
    }
}

/// Calls `take` with what is in a part of the cube that begins at `at`.
fn inflate(
    source: &mut (impl Read + Seek),
    at: u64,
    Part(begin, bytes): Part,
    mut take: impl FnMut(&[u8]) -> Result<(), Unfit>,
) -> Result<(), Unfit> {
    // Inside the file, as its cube is.
    source.seek(SeekFrom::Start(at + begin))?;
    let mut inflated = DeflateDecoder::new(source.take(bytes));
    let mut buffer = vec![0; BLOCK_BYTES];
    loop {
        match inflated.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => take(&buffer[..count])?,
            Err(error) => {
                return Err(match error.kind() {
                    io::ErrorKind::InvalidInput
                    | io::ErrorKind::InvalidData
                    | io::ErrorKind::UnexpectedEof => unreadable("a part of it cannot be inflated"),
                    _ => error.into(),
                });
            }
        }
    }
    if inflated.total_in() == bytes {
        Ok(())
    } else {
        Err(unreadable("a part of it ends before it should"))
    }
}
