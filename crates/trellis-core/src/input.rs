//! A picture that was submitted.

use serde::{Deserialize, Serialize};

use crate::{AssetName, Sha256, named};

named! {
    /// The picture formats that are read.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
    #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
    pub enum PictureFormat: "a picture format" {
        /// PNG, any colour type, 1 to 16 bits; of an animation the first frame.
        Png = "png",
        /// JPEG, grey, YCbCr, RGB or CMYK; its EXIF orientation is followed.
        Jpeg = "jpeg",
        /// WebP, lossy or lossless; of an animation the first frame.
        Webp = "webp",
        /// GIF; of an animation the first frame.
        Gif = "gif",
        /// BMP.
        Bmp = "bmp",
        /// TIFF, grey, RGB or CMYK, 8 or 16 bits; the first page.
        Tiff = "tiff",
    }
}

impl PictureFormat {
    /// All of them in a sentence.
    pub const LISTED: &str = "PNG, JPEG, WebP, GIF, BMP or TIFF";

    /// The name for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Png => "PNG",
            Self::Jpeg => "JPEG",
            Self::Webp => "WebP",
            Self::Gif => "GIF",
            Self::Bmp => "BMP",
            Self::Tiff => "TIFF",
        }
    }

    /// The media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Webp => "image/webp",
            Self::Gif => "image/gif",
            Self::Bmp => "image/bmp",
            Self::Tiff => "image/tiff",
        }
    }

    /// How names of its files end, without the dot; the usual one first.
    pub fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::Png => &["png"],
            Self::Jpeg => &["jpg", "jpeg"],
            Self::Webp => &["webp"],
            Self::Gif => &["gif"],
            Self::Bmp => &["bmp"],
            Self::Tiff => &["tif", "tiff"],
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
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub sha256: Sha256,
    /// What its file was called, without folders and ending, where that came with it. Its asset is named so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<AssetName>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_lists_every_format() {
        let titles = PictureFormat::ALL.map(PictureFormat::title);
        let [first @ .., last] = &titles;
        assert_eq!(format!("{} or {last}", first.join(", ")), PictureFormat::LISTED);
    }

    #[test]
    fn stored_names_are_the_titles_in_lower_case() {
        for format in PictureFormat::ALL {
            let stored = serde_json::to_value(format).unwrap();
            assert_eq!(stored, format.title().to_lowercase());
        }
    }
}
