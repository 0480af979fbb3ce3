//! Reads a picture's header, and whether its pixels can be all there.

use std::io::Cursor;

use image::{ImageError, ImageFormat, ImageReader, Limits};
use trellis_core::PictureFormat;

use crate::flaw::Flaw;
use crate::{FileKind, ForeignFile, recognise, whole};

/// The longest side that is taken, pixels: a picture one pixel wide costs every step far more than its area.
const LONGEST_SIDE: u32 = 32_768;
/// What a decoder may use besides the pixels, for metadata; the largest profiles in use have 3 MiB.
pub(crate) const SPARE_BYTES: u64 = 16 << 20;

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
    #[error("{}", file.sentence())]
    NotRead {
        /// What it is instead.
        file: ForeignFile,
    },
    /// One of the formats, in a form that is not read.
    #[error("this form of {} is not supported", format.title())]
    UnreadForm {
        /// Which format.
        format: PictureFormat,
        /// What the decoder said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// More pixels than allowed, in all or along a side.
    #[error("the picture has {width} × {height} pixels, the limit is {limit}")]
    TooLarge {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Which limit it exceeds.
        limit: SizeLimit,
    },
    /// The file ends before its picture does.
    #[error("the picture is damaged or cut short")]
    CutShort,
    /// Its header or its pixels are damaged or cut short.
    #[error("the picture is damaged or cut short")]
    Damaged {
        /// What the decoder said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A limit on a picture's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SizeLimit {
    /// On width × height.
    #[error("{0}")]
    Pixels(u64),
    /// On the longer side.
    #[error("{0} along a side")]
    Side(u32),
}

impl PictureError {
    /// What to do about it, one sentence.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::NotRead { file } => file.advice(),
            Self::UnreadForm { .. } => "open the picture in an image editor and save it as PNG",
            Self::TooLarge {
                limit: SizeLimit::Pixels(_),
                ..
            } => "make the picture smaller, or raise `limits.pixels`",
            Self::TooLarge { .. } => "cut the picture to the object",
            Self::CutShort | Self::Damaged { .. } => "open the picture in a viewer and save it again",
        }
    }

    /// What a decoder said.
    pub(crate) fn from_decoder(format: PictureFormat, error: ImageError) -> Self {
        match error {
            ImageError::Unsupported(_) => Self::UnreadForm {
                format,
                source: Box::new(error),
            },
            _ => Self::Damaged {
                source: Box::new(error),
            },
        }
    }
}

/// Reads the header of an encoded picture and checks `width × height` against `max_pixels`, and each side against
/// what is sensible. A file that ends before its picture does is refused, as is one that would cost far more to
/// decode than its size says. Nothing is decoded, and memory is bounded whatever the file says.
pub fn probe(bytes: &[u8], max_pixels: u64) -> Result<Header, PictureError> {
    let format = match recognise(bytes) {
        FileKind::Picture(format) => format,
        FileKind::Foreign(file) => return Err(PictureError::NotRead { file }),
    };
    let (width, height) = reader(bytes, format)
        .into_dimensions()
        .map_err(|error| PictureError::from_decoder(format, error))?;
    if width == 0 || height == 0 {
        return Err(PictureError::Damaged {
            source: "a side of 0 pixels".into(),
        });
    }
    let limit = if u64::from(width) * u64::from(height) > max_pixels {
        Some(SizeLimit::Pixels(max_pixels))
    } else {
        (width.max(height) > LONGEST_SIDE).then_some(SizeLimit::Side(LONGEST_SIDE))
    };
    if let Some(limit) = limit {
        return Err(PictureError::TooLarge { width, height, limit });
    }
    whole::check(bytes, format, width, height).map_err(|flaw| match flaw {
        Flaw::CutShort => PictureError::CutShort,
        Flaw::Contradiction(what) => PictureError::Damaged { source: what.into() },
        Flaw::OutOfProportion(what) => PictureError::UnreadForm {
            format,
            source: what.into(),
        },
    })?;
    Ok(Header {
        format,
        width,
        height,
    })
}

/// The decoder of a format, which may use [`SPARE_BYTES`] for what it reads before pixels.
pub(crate) fn reader(bytes: &[u8], format: PictureFormat) -> ImageReader<Cursor<&[u8]>> {
    let format = match format {
        PictureFormat::Png => ImageFormat::Png,
        PictureFormat::Jpeg => ImageFormat::Jpeg,
        PictureFormat::Webp => ImageFormat::WebP,
        PictureFormat::Gif => ImageFormat::Gif,
        PictureFormat::Bmp => ImageFormat::Bmp,
        PictureFormat::Tiff => ImageFormat::Tiff,
    };
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limited(SPARE_BYTES));
    reader
}

/// Limits of a decoder that may use so many bytes.
pub(crate) fn limited(max_alloc: u64) -> Limits {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(max_alloc);
    limits
}
