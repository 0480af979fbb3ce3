//! What an acceptable picture is: its header is read before a pixel is decoded, then its pixels are
//! decoded upright as 8-bit RGBA in sRGB.
//!
//! Bytes in, pixels out: no files, no network. Formats are told by their content and never by a name or a
//! media type that somebody claims; what is not read is named, with what to do about it.

mod bmp;
mod colour;
mod decode;
mod flaw;
mod foreign;
mod gif;
mod jpeg;
mod note;
mod picture;
mod png;
mod probe;
mod recognise;
mod stored_png;
mod text;
mod tiff;
mod upright;
mod webp;
mod whole;

pub use decode::{decode, upright};
pub use foreign::ForeignFile;
pub use note::Note;
pub use picture::Picture;
pub use probe::{Header, PictureError, SizeLimit, probe};
pub use recognise::{FileKind, recognise};
pub use upright::Upright;
