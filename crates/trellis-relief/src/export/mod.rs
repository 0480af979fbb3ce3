//! Writes a model to files.

mod glb;
mod ply;
mod stl;

use trellis_core::Params;

pub(crate) use glb::glb;
pub(crate) use ply::ply;
pub(crate) use stl::stl;

/// What a model was made of, for those who find the file later.
pub(crate) struct Origin<'a> {
    pub(crate) params: &'a Params,
    pub(crate) input_sha256: &'a [String],
}
