//! Writes a model to files.

mod glb;
mod ply;
mod stl;

pub(crate) use glb::glb;
pub(crate) use ply::ply;
pub(crate) use stl::stl;
