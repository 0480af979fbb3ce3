//! What makes assets from pictures: the [`Backend`] trait.

mod backend;

pub use backend::{Backend, Capabilities, Content, Made, Output, Readiness, Reporter, Request};
