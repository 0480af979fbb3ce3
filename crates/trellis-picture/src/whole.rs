//! Whether a file goes to the end of its picture, and whether decoding it is work in proportion to the picture:
//! told by the file's structure, without decoding a pixel.
//!
//! In time linear in the file's length and with no memory of its own, so that each submission can be looked at
//! before it is accepted. PNG's checksums are compared as well; damage within the pixels of another format is
//! found by its decoder only. What follows the picture, such as later frames of an animation, may be cut.
//! Not here: what the headers say (`probe.rs`).

use trellis_core::PictureFormat;

use crate::flaw::Flaw;
use crate::tiff::Tiff;
use crate::{bmp, gif, jpeg, png, webp};

/// Looks at the structure of a picture of `width × height` pixels.
pub(crate) fn check(bytes: &[u8], format: PictureFormat, width: u32, height: u32) -> Result<(), Flaw> {
    match format {
        PictureFormat::Png => png::check(bytes),
        PictureFormat::Jpeg => jpeg::check(bytes),
        PictureFormat::Webp => webp::check(bytes, width, height),
        PictureFormat::Gif if gif::has_its_first(bytes) => Ok(()),
        PictureFormat::Gif => Err(Flaw::CutShort),
        PictureFormat::Bmp => bmp::check(bytes, width, height),
        PictureFormat::Tiff => Tiff::open(bytes).map_or(Ok(()), |tiff| tiff.check(width, height)),
    }
}
