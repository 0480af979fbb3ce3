//! A decoded picture.

use std::io::{self, Write};

use png::{BitDepth, ColorType, Compression, Encoder, Filter};

use crate::stored_png::Rows;
use crate::{Note, stored_png};

/// How much of a PNG is in memory at a time.
const PNG_PART_BYTES: usize = 64 << 10;

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
        let has_alpha = holds_a_mask(&pixels);
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

    /// Whether there is an alpha channel that holds a mask: one that is nearly opaque everywhere, or the same
    /// everywhere, tells nothing of an object.
    pub fn has_alpha(&self) -> bool {
        self.has_alpha
    }

    /// The same picture with another alpha channel; `None` where there is not one value a pixel.
    pub fn with_alpha(mut self, alpha: &[u8]) -> Option<Self> {
        if alpha.len() != self.pixels.len() / 4 {
            return None;
        }
        for (pixel, alpha) in self.pixels.chunks_exact_mut(4).zip(alpha) {
            pixel[3] = *alpha;
        }
        self.has_alpha = holds_a_mask(&self.pixels);
        Some(self)
    }

    /// What a person should know of how it was read.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// Writes the picture as a PNG: RGB, or RGBA where it has a mask; not compressed, as it is read once and thrown
    /// away.
    pub fn write_png(&self, sink: impl Write) -> io::Result<()> {
        stored_png::write(
            sink,
            (self.width, self.height),
            Rows::Rgba(&self.pixels, self.has_alpha),
        )
    }

    /// The picture as [`Self::write_png`] writes it.
    #[expect(
        clippy::missing_panics_doc,
        reason = "memory takes as many bytes as there are"
    )]
    pub fn to_png(&self) -> Vec<u8> {
        let mut png = Vec::new();
        self.write_png(&mut png).expect("memory takes it");
        png
    }

    /// The picture as a PNG to be kept or sent: RGBA whatever its mask is, the colours where nothing is seen too.
    #[expect(
        clippy::missing_panics_doc,
        reason = "memory takes as many bytes as there are"
    )]
    pub fn to_small_png(&self) -> Vec<u8> {
        let mut png = Vec::new();
        self.write_small(&mut png).expect("memory takes it");
        png
    }

    /// Row by row, so that no copy of the picture is made.
    fn write_small(&self, sink: impl Write) -> io::Result<()> {
        let mut encoder = Encoder::new(sink, self.width, self.height);
        encoder.set_depth(BitDepth::Eight);
        encoder.set_color(ColorType::Rgba);
        encoder.set_compression(Compression::Fast);
        encoder.set_filter(Filter::Adaptive);
        let mut png = encoder.write_header()?;
        let mut rows = png.stream_writer_with_size(PNG_PART_BYTES)?;
        for row in self.pixels.chunks_exact(self.pixels.len() / self.height as usize) {
            rows.write_all(row)?;
        }
        Ok(rows.finish()?)
    }
}

/// Alpha from which a pixel is opaque: encoders and editors round it.
const OPAQUE: u8 = 250;

/// Whether the alpha channel tells one place from another.
pub(crate) fn holds_a_mask(pixels: &[u8]) -> bool {
    let (mut least, mut most) = (u8::MAX, 0);
    for pixel in pixels.chunks_exact(4) {
        least = least.min(pixel[3]);
        most = most.max(pixel[3]);
    }
    least != most && least < OPAQUE
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
