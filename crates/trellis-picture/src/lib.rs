//! What an acceptable picture is: its header is read before a pixel is decoded, then its pixels are
//! decoded upright as 8-bit RGBA.
//!
//! Bytes in, pixels out: no files, no network. Formats: PNG, JPEG and WebP, told by their content and
//! never by a name or a media type that somebody claims.

mod decode;
mod probe;

pub use decode::{Picture, decode};
pub use probe::{Header, PictureError, probe};
