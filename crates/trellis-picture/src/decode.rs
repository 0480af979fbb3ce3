//! Decodes a picture to upright 8-bit RGBA.
//!
//! Every colour type that PNG, JPEG and WebP have comes out as the same four channels: 16 bits are
//! rounded to 8, grey and palettes are spread out, CMYK and YCCK become RGB. CMYK in a JPEG is taken as
//! Adobe's inverted kind, as browsers take it. Colour profiles are not applied.
//! Not here: what counts as the object in the picture.

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder, ImageReader, Limits};

use crate::{PictureError, probe};

/// Most bytes a pixel has while being decoded: four channels of 16 bits.
const BYTES_PER_PIXEL: u64 = 8;
/// What a decoder may use besides the pixels, such as tables and metadata.
const SPARE_BYTES: u64 = 64 << 20;

/// A decoded picture: rows from the top, four bytes (red, green, blue, alpha; not premultiplied) a pixel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
    has_alpha: bool,
}

impl Picture {
    /// A picture from its pixels; `None` if a side is 0 or there are not `4 × width × height` bytes.
    pub fn from_rgba8(width: u32, height: u32, pixels: Vec<u8>) -> Option<Self> {
        let bytes = 4 * u64::from(width) * u64::from(height);
        if bytes == 0 || pixels.len() as u64 != bytes {
            return None;
        }
        let has_alpha = pixels.chunks_exact(4).any(|pixel| pixel[3] != u8::MAX);
        Some(Self {
            width,
            height,
            pixels,
            has_alpha,
        })
    }

    /// Width in pixels as seen, at least 1.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels as seen, at least 1.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The bytes of all pixels.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// Whether some pixel is not opaque. An alpha channel that is opaque everywhere says nothing.
    pub fn has_alpha(&self) -> bool {
        self.has_alpha
    }
}

/// Decodes an encoded picture, turned as its EXIF orientation says.
///
/// `max_pixels` limits `width × height` and, by it, the decoder's memory.
pub fn decode(bytes: &[u8], max_pixels: u64) -> Result<Picture, PictureError> {
    probe(bytes, max_pixels)?;
    let damaged = |source| PictureError::Damaged { source };
    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|_| PictureError::UnknownFormat)?;
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(
        max_pixels
            .saturating_mul(BYTES_PER_PIXEL)
            .saturating_add(SPARE_BYTES),
    );
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(damaged)?;
    let orientation = decoder.orientation().map_err(damaged)?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    image.apply_orientation(orientation);
    let image = image.into_rgba8();
    let (width, height) = image.dimensions();
    Picture::from_rgba8(width, height, image.into_raw()).ok_or(PictureError::UnknownFormat)
}
