//! What makes assets from pictures: the [`Backend`] trait, the [`Registry`] that chooses among backends,
//! and the embedded preview, [`ReliefBackend`].

mod backend;
mod registry;
mod relief;

pub use backend::{Backend, Capabilities, Content, Made, Output, Readiness, Reporter, Request};
pub use registry::{Chosen, Registry};
pub use relief::{ReliefBackend, ReliefSettings};
