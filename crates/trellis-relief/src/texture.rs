//! The picture as texture: the object's window, resampled, with no background left at the outline.
//!
//! Pixels at the edge are mixed with the background, so they count little, and their place and all around
//! is filled from the object's own colours (`bleed.rs`).

use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;
use trellis_picture::Picture;

use crate::bleed::{Weighted, bleed};
use crate::error::ReliefError;
use crate::matte::Matte;
use crate::resample::resample;
use crate::window::Window;

/// JPEG quality: no blocks to be seen, about a tenth of a PNG's size.
const QUALITY: u8 = 90;

/// A square texture: rows from the top, three bytes (red, green, blue) a texel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Texture {
    /// Texels along each side.
    pub size: u32,
    /// `3 × size × size` bytes.
    pub texels: Vec<u8>,
}

impl Texture {
    /// The media type of [`Self::encoded`].
    pub(crate) const MEDIA_TYPE: &'static str = "image/jpeg";

    /// As a JPEG file.
    pub(crate) fn encoded(&self) -> Result<Vec<u8>, ReliefError> {
        let mut out = Vec::with_capacity(self.texels.len() / 8);
        JpegEncoder::new_with_quality(&mut out, QUALITY)
            .encode(&self.texels, self.size, self.size, ExtendedColorType::Rgb8)
            .map_err(|source| ReliefError::Texture { source })?;
        Ok(out)
    }

    /// The nearest texel, red, green and blue.
    pub(crate) fn at(&self, [u, v]: [f32; 2]) -> [u8; 3] {
        let place = |along: f32| ((along * self.size as f32) as usize).min(self.size as usize - 1);
        let first = 3 * (place(v) * self.size as usize + place(u));
        [self.texels[first], self.texels[first + 1], self.texels[first + 2]]
    }
}

/// Makes the texture of a window of the picture.
pub(crate) fn texture(picture: &Picture, matte: &Matte, window: Window, size: u32) -> Texture {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let pixels = picture.pixels();
    let read = |x: usize, y: usize| -> Weighted {
        let at = 4 * (y * width + x);
        let weight = trust(picture, matte, x, y);
        let colour = |channel: usize| f32::from(pixels[at + channel]) * weight;
        [colour(0), colour(1), colour(2), weight]
    };
    let side = size as usize;
    let filled = bleed(resample((width, height), read, window, (side, side)));
    let texels = filled
        .values
        .iter()
        .flatten()
        .map(|value| (value + 0.5) as u8)
        .collect();
    Texture { size, texels }
}

/// How much a pixel's colour is the object's own, 0 to 1.
fn trust(picture: &Picture, matte: &Matte, x: usize, y: usize) -> f32 {
    let smooth = |low: f32, high: f32, value: f32| {
        let t = ((value - low) / (high - low)).clamp(0.0, 1.0);
        t * t * (3.0 - 2.0 * t)
    };
    match matte {
        Matte::Whole => 1.0,
        // By definition the colours of an alpha picture are not mixed; by practice many are.
        Matte::Alpha { .. } => {
            let coverage = matte.at(picture, x, y);
            0.98 * smooth(0.4, 0.95, coverage) + 0.02 * coverage
        }
        Matte::Found(grid) => {
            let across = (x as f32 + 0.5) * grid.width as f32 / picture.width() as f32 - 0.5;
            let down = (y as f32 + 0.5) * grid.height as f32 / picture.height() as f32 - 0.5;
            let coverage = grid.linear(across, down);
            0.999 * smooth(0.8, 1.0, coverage) + 0.001 * coverage
        }
    }
}
