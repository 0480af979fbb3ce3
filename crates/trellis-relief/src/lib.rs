//! The embedded backend `relief`: a preview from a picture's outline, not TRELLIS.
//!
//! ```text
//! Picture ─ matte ─▶ coverage on a working grid ─ inflate ─▶ heights
//!                        │                                     │
//!                        └─ marching squares, quadtree ─▶ front sheet ─ simplify ─▶ closed solid
//! Picture ─ colours bled over the outline ─▶ texture ────────────────────────────▶ GLB, STL, PLY
//! ```
//! One thread, no randomness, no files: the same picture and parameters give the same bytes.
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "pixel, grid and vertex numbers: sizes are bounded by the pixel limit, far below 2^31"
)]
#![expect(
    clippy::needless_range_loop,
    reason = "one number often indexes several grids at once; zipped iterators would hide which cell is meant"
)]
#![allow(
    clippy::many_single_char_names,
    clippy::similar_names,
    reason = "x, y, u, v, w and h are the field's own names"
)]

mod atlas;
mod back;
mod backdrop;
mod balls;
mod bars;
mod bleed;
mod colour;
mod coverage;
mod decisions;
mod edge;
mod enclosed;
mod error;
mod export;
mod facts;
mod faint;
mod foot;
mod generate;
mod grid;
mod hard_shadow;
mod inflate;
mod mask;
mod matte;
mod model;
mod multigrid;
mod noise;
mod outline;
mod parts;
mod quadtree;
mod resample;
mod scene;
mod shadow;
mod sheet;
mod simplify;
mod solid;
mod surface;
mod texture;
mod topology;
mod window;

pub use atlas::{Atlas, Chart};
pub use decisions::MaskSource;
pub use error::ReliefError;
pub use generate::{FORMATS, File, Relief, Views, generate, labelled};
pub use mask::{Mask, alpha, mask};
pub use model::{Model, model};
pub use solid::Solid;
pub use texture::Texture;
pub use topology::{Defect, Topology};
pub use window::Window;

/// What this backend is, wherever it appears.
pub const NAME: &str = "relief";
/// What stands behind the name of each object that it makes, wherever a format has room for it.
pub const LABEL: &str = "preview, not TRELLIS";
/// What a person should know of its results.
pub const DESCRIPTION: &str = "a preview from the outline, not TRELLIS";
