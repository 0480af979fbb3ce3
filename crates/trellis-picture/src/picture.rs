//! A decoded picture.

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder as _};

use crate::Note;

/// A decoded picture: rows from the top, four bytes (red, green, blue, alpha; not premultiplied; sRGB) a pixel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
    has_alpha: bool,
    notes: Vec<Note>,
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
            notes: Vec::new(),
        })
    }

    /// The same picture with what a person should know of it.
    #[must_use]
    pub(crate) fn with_notes(mut self, notes: Vec<Note>) -> Self {
        self.notes = notes;
        self
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

    /// What a person should know of how it was read.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// The picture as a PNG: RGB, or RGBA where it has alpha; quick to write rather than small.
    #[expect(
        clippy::missing_panics_doc,
        reason = "memory takes as many bytes as there are"
    )]
    pub fn to_png(&self) -> Vec<u8> {
        let opaque: Vec<u8>;
        let (pixels, colour) = if self.has_alpha {
            (&self.pixels, ExtendedColorType::Rgba8)
        } else {
            let of_pixel = |pixel: &[u8]| [pixel[0], pixel[1], pixel[2]];
            opaque = self.pixels.chunks_exact(4).flat_map(of_pixel).collect();
            (&opaque, ExtendedColorType::Rgb8)
        };
        let mut png = Vec::new();
        PngEncoder::new_with_quality(&mut png, CompressionType::Fast, FilterType::Up)
            .write_image(pixels, self.width, self.height, colour)
            .expect("there are as many bytes as pixels need, and memory takes them");
        png
    }
}
