//! A picture that was submitted.

use serde::{Deserialize, Serialize};

use crate::AssetName;

/// The picture formats taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum PictureFormat {
    /// PNG, any colour type, 1 to 16 bits.
    Png,
    /// JPEG, grey, YCbCr, RGB or CMYK; its EXIF orientation is followed.
    Jpeg,
    /// WebP, lossy or lossless, first frame.
    Webp,
}

impl PictureFormat {
    /// The media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Webp => "image/webp",
        }
    }
}

/// A submitted picture as the job keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Input {
    /// Its format.
    pub format: PictureFormat,
    /// Width in pixels as stored, before any EXIF rotation.
    pub width: u32,
    /// Height in pixels as stored, before any EXIF rotation.
    pub height: u32,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// SHA-256 of its bytes, 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// What its file was called, without folders and ending, where that came with it. Its asset is named so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<AssetName>,
}
