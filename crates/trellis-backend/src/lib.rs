//! What makes assets from pictures: the [`Backend`] trait, the [`Registry`] that chooses among backends,
//! the embedded preview, [`ReliefBackend`], [`Origin`], which says of each result what made it,
//! and [`verify`], which compares that with what runs here.

mod backend;
mod converted;
mod cut_out;
mod elsewhere;
mod export;
mod finish;
mod left;
mod origin;
mod reading;
mod registry;
mod relief;
mod stopwatch;
pub mod verify;

pub use backend::{
    Backend, Capabilities, Content, Latents, Made, MadeWith, Output, Readiness, Reporter, Request, SourceGlb,
};
pub use converted::{AssetLabel, engine_formats, with_converted};
pub use cut_out::{CutOut, cut_out, cut_out_bytes};
pub use elsewhere::{Anywhere, Others};
pub use export::ExportBackend;
pub use finish::{Finished, FinishedFile, Finishing, KeptLatents, Piece};
pub use left::{MAX_FILE_BYTES, open_left};
pub use origin::{Origin, Pictures, StatementText};
pub use registry::{Registry, Route};
pub use relief::{ReliefBackend, ReliefSettings};
