//! Reads fatbin containers: which GPU code is inside, without decompressing more of it than a header.
//!
//! ```text
//! section   := { padding container }
//! container := magic:u32=0xBA55ED50 version:u16 header:u16 size:u64   entries of `size` bytes
//! entry     := kind:u16 version:u16 header:u32 payload:u64 compressed:u32 options:u32
//!              minor:u16 major:u16 arch:u32 name_at:u32 name_len:u32 flags:u64 …   payload
//! ```
//! All little-endian; an entry's header is at least 64 bytes. NVIDIA documents only the magic
//! (`fatbinary_section.h`); the rest was found by comparing with `cuobjdump`, which is also the oracle
//! (`tests/real-wheels/cuobjdump-oracle.sh`).
//! Not here: finding the sections (`images.rs`), the code's own header (`cubin.rs`), what the code is good for
//! (`verdict.rs`). Holds one header at a time, never allocates by a size it has read, and always moves forward.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use memchr::memmem;

use super::arch::{Arch, Variant};
use super::cubin::{self, Storage};

const MAGIC: u32 = 0xBA55_ED50;
const CONTAINER_HEADER: usize = 16;
const ENTRY_HEADER: usize = 64;
/// Containers start on this boundary; what is between them is zero.
const ALIGNMENT: usize = 8;
const FLAG_EXACT: u64 = 0x0010_0000;
const FLAG_FAMILY: u64 = 0x0020_0000;
const FLAG_LZ4: u64 = 0x2000;
const FLAG_ZSTANDARD: u64 = 0x8000;
/// The highest architecture number taken for real; `sm_121` is the highest known.
const MAX_ARCH: u32 = 999;

/// Bytes at a place, so that headers of a file of gigabytes are read without mapping it: every touched
/// page of a map would count as resident, and the headers are spread over the whole file.
pub trait ReadAt {
    /// Fills the buffer from the offset, or fails.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
}

impl ReadAt for File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_exact_at(buffer, offset)
    }
}

impl ReadAt for [u8] {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let bytes = self
            .get(from..)
            .and_then(|rest| rest.get(..buffer.len()))
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }
}

/// What kind of code an entry holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// Text that the driver compiles.
    Ptx,
    /// Machine code.
    Sass,
}

/// One piece of code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// PTX or SASS; `None` for kinds that hold neither, such as link-time intermediate code.
    pub code: Option<Code>,
    /// What it was compiled for.
    pub arch: Arch,
}

/// What the walk meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item {
    /// The next entries are those of one translation unit.
    Container,
    /// A piece of code of that container.
    Entry(Entry),
}

/// Why a section cannot be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum FatbinError {
    /// A container or entry reaches over the end of what holds it.
    #[error("the fatbin at offset {offset:#x} runs past the end")]
    Overrun {
        /// Where in the file.
        offset: u64,
    },
    /// A header is shorter than headers are, or names an impossible architecture.
    #[error("the fatbin entry at offset {offset:#x} has an impossible header")]
    Implausible {
        /// Where in the file.
        offset: u64,
    },
    /// The file cannot be read.
    #[error("cannot read the fatbin at offset {offset:#x}")]
    Read {
        /// Where in the file.
        offset: u64,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Walks all containers of a section, given as a range of the file, and hands each item to `visit`.
/// What was visited before an error is good.
pub fn walk<R: ReadAt + ?Sized>(
    from: &R,
    section: Range<u64>,
    visit: &mut dyn FnMut(Item),
) -> Result<(), FatbinError> {
    let mut at = section.start;
    while let Some(start) = next_container(from, at..section.end)? {
        at = aligned(container(from, start..section.end, visit)?);
    }
    Ok(())
}

/// Looks through a range of any content for containers, and hands their items to `visit`. What only looks
/// like a container is passed over, so damage is no error here.
pub fn scan<R: ReadAt + ?Sized>(
    from: &R,
    range: Range<u64>,
    visit: &mut dyn FnMut(Item),
) -> Result<(), FatbinError> {
    let mut at = range.start;
    while let Some(start) = next_container(from, at..range.end)? {
        at = match container(from, start..range.end, &mut |_| {}) {
            Ok(_) => aligned(container(from, start..range.end, visit)?),
            Err(FatbinError::Overrun { .. } | FatbinError::Implausible { .. }) => start + ALIGNMENT as u64,
            Err(error) => return Err(error),
        };
    }
    Ok(())
}

/// Reads one container at the start of the range and returns where it ends.
pub fn container<R: ReadAt + ?Sized>(
    from: &R,
    within: Range<u64>,
    visit: &mut dyn FnMut(Item),
) -> Result<u64, FatbinError> {
    let offset = within.start;
    end_of(offset, CONTAINER_HEADER as u64, 0, within.end)?;
    let head: [u8; CONTAINER_HEADER] = read(from, offset)?;
    let header = u64::from(u16_at(&head, 6));
    if u32_at(&head, 0) != MAGIC || header < CONTAINER_HEADER as u64 {
        return Err(FatbinError::Implausible { offset });
    }
    let end = end_of(offset, header, u64_at(&head, 8), within.end)?;
    visit(Item::Container);
    let mut at = offset + header;
    while at < end {
        // Behind the end may be the end of the file.
        end_of(at, ENTRY_HEADER as u64, 0, end)?;
        let head: [u8; ENTRY_HEADER] = read(from, at)?;
        let (mut entry, header, payload) = entry(&head).ok_or(FatbinError::Implausible { offset: at })?;
        let code = at.saturating_add(header);
        at = end_of(at, header, payload, end)?;
        if exact_by_itself(from, &entry, u64_at(&head, 40), code..at)? {
            entry.arch.variant = Variant::Exact;
        }
        visit(Item::Entry(entry));
    }
    Ok(end)
}

fn entry(head: &[u8; ENTRY_HEADER]) -> Option<(Entry, u64, u64)> {
    let code = match u16_at(head, 0) {
        1 => Some(Code::Ptx),
        2 => Some(Code::Sass),
        _ => None,
    };
    let header = u64::from(u32_at(head, 4));
    let number = u32_at(head, 28);
    let flags = u64_at(head, 40);
    let variant = if flags & FLAG_EXACT != 0 {
        Variant::Exact
    } else if flags & FLAG_FAMILY != 0 {
        Variant::Family
    } else {
        Variant::Plain
    };
    let plausible = header >= ENTRY_HEADER as u64 && number <= MAX_ARCH;
    plausible.then_some((
        Entry {
            code,
            arch: Arch { number, variant },
        },
        header,
        u64_at(head, 8),
    ))
}

/// Whether machine code whose entry has no letter has one in its own header.
fn exact_by_itself<R: ReadAt + ?Sized>(
    from: &R,
    entry: &Entry,
    flags: u64,
    payload: Range<u64>,
) -> Result<bool, FatbinError> {
    if entry.code != Some(Code::Sass) || entry.arch.variant != Variant::Plain || flags & FLAG_ZSTANDARD != 0 {
        return Ok(false);
    }
    let storage = if flags & FLAG_LZ4 == 0 {
        Storage::Plain
    } else {
        Storage::Lz4
    };
    let mut buffer = [0; cubin::HEAD_BYTES];
    let length = usize::try_from(payload.end - payload.start).unwrap_or(usize::MAX);
    let head = &mut buffer[..length.min(cubin::HEAD_BYTES)];
    let offset = payload.start;
    from.read_at(head, offset)
        .map_err(|source| FatbinError::Read { offset, source })?;
    Ok(cubin::has_letter(head, storage) == Some(true))
}

/// The next container's offset: aligned, behind anything.
fn next_container<R: ReadAt + ?Sized>(from: &R, within: Range<u64>) -> Result<Option<u64>, FatbinError> {
    const STRIDE: usize = 1 << 16;
    let magic = MAGIC.to_le_bytes();
    let mut buffer = Vec::new();
    let mut at = aligned(within.start);
    // Containers mostly follow each other, so only a header's worth is read first.
    let mut length = CONTAINER_HEADER;
    while within.end.saturating_sub(at) >= CONTAINER_HEADER as u64 {
        let rest = usize::try_from(within.end - at).unwrap_or(usize::MAX);
        buffer.resize(length.min(rest) / ALIGNMENT * ALIGNMENT, 0);
        from.read_at(&mut buffer, at)
            .map_err(|source| FatbinError::Read { offset: at, source })?;
        let aligned = |found: &usize| found.is_multiple_of(ALIGNMENT);
        if let Some(found) = memmem::find_iter(&buffer, &magic).find(aligned) {
            return Ok(Some(at + found as u64));
        }
        at += buffer.len() as u64;
        length = STRIDE;
    }
    Ok(None)
}

/// The next place where a container may start; beyond all files if there is none.
fn aligned(at: u64) -> u64 {
    at.checked_next_multiple_of(ALIGNMENT as u64).unwrap_or(u64::MAX)
}

fn end_of(offset: u64, header: u64, size: u64, limit: u64) -> Result<u64, FatbinError> {
    let end = offset
        .checked_add(header)
        .and_then(|start| start.checked_add(size));
    end.filter(|end| *end <= limit)
        .ok_or(FatbinError::Overrun { offset })
}

fn read<const N: usize, R: ReadAt + ?Sized>(from: &R, offset: u64) -> Result<[u8; N], FatbinError> {
    let mut buffer = [0; N];
    from.read_at(&mut buffer, offset)
        .map_err(|source| FatbinError::Read { offset, source })?;
    Ok(buffer)
}

fn bytes_at<const N: usize>(from: &[u8], at: usize) -> [u8; N] {
    *from[at..]
        .first_chunk()
        .expect("offsets lie inside the fixed headers")
}

fn u16_at(from: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes_at(from, at))
}

fn u32_at(from: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes_at(from, at))
}

fn u64_at(from: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes_at(from, at))
}
