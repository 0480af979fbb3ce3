//! Reads what a backend made, before it is delivered: whether the file is whole, and whether there is an object in it.
//!
//! Looks at structure, counts, positions and vertex numbers. Not here: how it looks, whether textures decode, whether a
//! mesh is closed. Memory is bounded by a block, and in a GLB by its JSON; time by the file's size.

mod extent;
mod glb;
mod glb_json;
mod mp4;
mod obj;
mod ply;
mod stl;
mod vox;
mod vxz;

#[cfg(test)]
pub(crate) mod tests;

use std::io::{self, Read, Seek};

use trellis_core::{Failure, FailureKind, Format};

/// How much is read at a time.
const BLOCK_BYTES: usize = 256 << 10;

/// Why a file is not delivered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfit {
    /// It is not a whole file of its format.
    #[error("{0}")]
    Unreadable(String),
    /// It is, and what it holds cannot be meant.
    #[error("{0}")]
    Implausible(String),
    /// The disk failed.
    #[error("it cannot be read")]
    Io(#[from] io::Error),
}

impl Unfit {
    /// As the failure of the job whose file it is.
    pub(crate) fn failure(&self, name: &str) -> Failure {
        match self {
            Self::Implausible(why) => Failure::new(
                FailureKind::ImplausibleResult,
                format!("`{name}` is not a plausible result: {why}"),
            ),
            Self::Unreadable(_) | Self::Io(_) => {
                Failure::new(FailureKind::Internal, format!("`{name}` cannot be read: {self}"))
            }
        }
    }
}

fn unreadable(what: impl Into<String>) -> Unfit {
    Unfit::Unreadable(what.into())
}

fn implausible(what: impl Into<String>) -> Unfit {
    Unfit::Implausible(what.into())
}

/// Reads a file of `size` bytes from its beginning to its end, as far as its format says what there must be.
pub(crate) fn look(format: Format, source: &mut (impl Read + Seek), size: u64) -> Result<(), Unfit> {
    source.rewind()?;
    match format {
        Format::Glb => glb::look(source, size),
        Format::Stl => stl::look(source, size),
        Format::Ply => ply::look(source, size, ply::Holds::Mesh),
        Format::GaussianPly => ply::look(source, size, ply::Holds::Gaussians),
        Format::Obj => obj::look(source),
        Format::Voxels => vox::look(source, size),
        Format::Turntable => mp4::look(source, size),
        Format::Vxz => vxz::look(source, size),
    }
}

/// Fills the buffer; a file that ends before is cut short.
fn fill(source: &mut impl Read, buffer: &mut [u8]) -> Result<(), Unfit> {
    source.read_exact(buffer).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => unreadable("it is cut short"),
        _ => error.into(),
    })
}

/// Calls `take` with each of `rows` rows of `row_bytes` bytes, which follow one another.
fn rows(
    source: &mut impl Read,
    rows: u64,
    row_bytes: usize,
    mut take: impl FnMut(&[u8]) -> Result<(), Unfit>,
) -> Result<(), Unfit> {
    let at_a_time = (BLOCK_BYTES / row_bytes.max(1)).max(1);
    let at_a_time = usize::try_from(rows).unwrap_or(usize::MAX).min(at_a_time);
    let mut buffer = vec![0; at_a_time * row_bytes];
    let mut left = rows;
    while left > 0 {
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(at_a_time);
        let block = &mut buffer[..count * row_bytes];
        fill(source, block)?;
        block.chunks_exact(row_bytes).try_for_each(&mut take)?;
        left -= count as u64;
    }
    Ok(())
}

/// Three numbers of four bytes each, little-endian.
fn point(bytes: &[u8]) -> [f64; 3] {
    let number = |at: usize| f32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    [0, 4, 8].map(|at| number(at).into())
}
