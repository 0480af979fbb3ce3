//! The whole way from encoded pictures to closed meshes and files.
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "pixel and vertex numbers"
)]

mod back;
mod backdrops;
mod depth;
mod files;
mod kit;
mod masks;
mod pictures;
mod samples;
mod scenes;
mod shapes;
mod table;
