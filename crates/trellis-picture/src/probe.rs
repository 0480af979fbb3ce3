//! Reads a picture's header.

use std::io::Cursor;

use image::{ImageFormat, ImageReader};
use trellis_core::PictureFormat;

/// What a picture's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Its format.
    pub format: PictureFormat,
    /// Width in pixels as stored, before any EXIF rotation; at least 1.
    pub width: u32,
    /// Height in pixels as stored; at least 1.
    pub height: u32,
}

/// Why a picture is not taken.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// Not one of the formats.
    #[error("this is not a PNG, JPEG or WebP picture")]
    UnknownFormat,
    /// More pixels than allowed.
    #[error("the picture has {width} × {height} pixels, the limit is {max_pixels}")]
    TooLarge {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// The limit on their product.
        max_pixels: u64,
    },
    /// A JPEG without its end.
    #[error("the picture is damaged or cut short")]
    CutShort,
    /// Its header or its pixels are damaged or cut short.
    #[error("the picture is damaged or cut short")]
    Damaged {
        /// What the decoder said.
        #[source]
        source: image::ImageError,
    },
}

impl PictureError {
    /// What to do about it, one sentence.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::UnknownFormat => "save the picture as PNG, JPEG or WebP",
            Self::TooLarge { .. } => "make the picture smaller, or raise `limits.pixels`",
            Self::CutShort | Self::Damaged { .. } => "open the picture in a viewer and save it again",
        }
    }
}

/// Reads the header of an encoded picture and checks `width × height` against `max_pixels`.
pub fn probe(bytes: &[u8], max_pixels: u64) -> Result<Header, PictureError> {
    let format = match image::guess_format(bytes) {
        Ok(ImageFormat::Png) => PictureFormat::Png,
        Ok(ImageFormat::Jpeg) => PictureFormat::Jpeg,
        Ok(ImageFormat::WebP) => PictureFormat::Webp,
        _ => return Err(PictureError::UnknownFormat),
    };
    let reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|_| PictureError::UnknownFormat)?;
    let (width, height) = reader
        .into_dimensions()
        .map_err(|source| PictureError::Damaged { source })?;
    if u64::from(width) * u64::from(height) > max_pixels {
        return Err(PictureError::TooLarge {
            width,
            height,
            max_pixels,
        });
    }
    Ok(Header {
        format,
        width,
        height,
    })
}
