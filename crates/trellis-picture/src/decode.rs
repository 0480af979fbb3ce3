//! Decodes a picture to upright 8-bit RGBA.
//!
//! Every colour type that PNG, JPEG and WebP have comes out as the same four channels: 16 bits are
//! rounded to 8, grey and palettes are spread out, CMYK and YCCK become RGB. CMYK in a JPEG is taken as
//! Adobe's inverted kind, as browsers take it. Colour profiles are not applied.
//! Not here: what counts as the object in the picture.

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder, ImageReader, Limits};
use trellis_core::PictureFormat;

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
        let has_alpha = holds_a_mask(&pixels);
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

    /// Whether there is an alpha channel that holds a mask: one that is nearly opaque everywhere, or the same
    /// everywhere, tells nothing of an object.
    pub fn has_alpha(&self) -> bool {
        self.has_alpha
    }
}

/// Alpha from which a pixel is opaque: encoders and editors round it.
const OPAQUE: u8 = 250;

/// Whether the alpha channel tells one place from another.
fn holds_a_mask(pixels: &[u8]) -> bool {
    let alphas = || pixels.iter().skip(3).step_by(4).copied();
    let (least, most) = (alphas().min(), alphas().max());
    least != most && least < Some(OPAQUE)
}

/// Decodes an encoded picture, turned as its EXIF orientation says.
///
/// `max_pixels` limits `width × height` and, by it, the decoder's memory.
pub fn decode(bytes: &[u8], max_pixels: u64) -> Result<Picture, PictureError> {
    let header = probe(bytes, max_pixels)?;
    // The decoder would paint what is missing grey.
    if header.format == PictureFormat::Jpeg && !has_end(bytes) {
        return Err(PictureError::CutShort);
    }
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

/// Whether a JPEG's picture comes to its end (ITU-T T.81, annex B): after the header of its first scan there
/// is an end marker. Those of thumbnails lie before it, and in coded data each 255 is followed by a 0.
fn has_end(bytes: &[u8]) -> bool {
    const START_OF_SCAN: u8 = 0xDA;
    let mut at = 2;
    while let Some(&[0xFF, marker, high, low]) = bytes.get(at..at + 4) {
        let length = usize::from(u16::from_be_bytes([high, low]));
        match marker {
            // Fill bytes before a marker.
            0xFF => at += 1,
            START_OF_SCAN => return bytes[at..].windows(2).any(|pair| pair == [0xFF, 0xD9]),
            _ => at += 2 + length,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jpeg() -> Vec<u8> {
        let mut bytes = Vec::new();
        let pixels = (0..64 * 64_u32).flat_map(|index| (index * 77).to_le_bytes().into_iter().take(3));
        let image = image::RgbImage::from_vec(64, 64, pixels.collect()).unwrap();
        DynamicImage::from(image)
            .write_to(&mut Cursor::new(&mut bytes), image::ImageFormat::Jpeg)
            .unwrap();
        bytes
    }

    #[test]
    fn an_alpha_channel_that_tells_nothing_counts_as_none() {
        let with = |alphas: [u8; 4]| {
            let pixels = alphas.into_iter().flat_map(|alpha| [9, 9, 9, alpha]).collect();
            Picture::from_rgba8(2, 2, pixels).unwrap().has_alpha()
        };
        for none in [[255; 4], [254; 4], [250, 255, 251, 252], [128; 4], [0; 4]] {
            assert!(!with(none), "{none:?}");
        }
        for mask in [[0, 255, 255, 255], [249, 255, 255, 255], [0, 0, 0, 12]] {
            assert!(with(mask), "{mask:?}");
        }
    }

    #[test]
    fn a_jpeg_that_was_cut_short_is_refused() {
        let whole = jpeg();
        assert!(decode(&whole, 10_000).is_ok());
        let followed = [whole.as_slice(), b"what a camera writes after it"].concat();
        assert!(decode(&followed, 10_000).is_ok());
        // A thumbnail before the picture has an end of its own.
        let thumbnail = [b"\xff\xd8\xff\xe1\x00\x06\xff\xd8\xff\xd9", &whole[2..]].concat();
        assert!(decode(&thumbnail, 10_000).is_ok());
        for bytes in [&whole[..whole.len() / 2], &thumbnail[..thumbnail.len() - 2]] {
            assert!(matches!(decode(bytes, 10_000), Err(PictureError::CutShort)));
        }
    }
}
