//! Files that are not read as pictures: what they are called, and what to do with each.
//!
//! Not here: telling them by their content (`recognise.rs`).

use trellis_core::PictureFormat;

/// A file that is not read as a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ForeignFile {
    /// HEIF with HEVC inside, as phones take it.
    Heic,
    /// AVIF.
    Avif,
    /// JPEG XL.
    JpegXl,
    /// JPEG 2000, JPEG XR or another relative of JPEG.
    Jpeg2000,
    /// A camera's raw data.
    CameraRaw,
    /// Photoshop's document.
    Photoshop,
    /// GIMP's document.
    Gimp,
    /// SVG.
    Svg,
    /// PDF.
    Pdf,
    /// PostScript or EPS.
    PostScript,
    /// OpenEXR or Radiance.
    HighDynamicRange,
    /// ICO, CUR or ICNS.
    Icon,
    /// A picture in a format that programs use among themselves: Netpbm, TGA, PCX, QOI, DDS, KTX.
    RarePicture,
    /// MP4, QuickTime, Matroska, WebM or AVI.
    Video,
    /// glTF, PLY or another model.
    Model,
    /// HTML.
    WebPage,
    /// JSON.
    Json,
    /// XML other than SVG.
    Xml,
    /// What git has in place of a large file.
    LfsPointer,
    /// A picture written as text: base64 or a data URI.
    Base64,
    /// A picture whose bytes were changed as if they were text.
    Mangled,
    /// Other text.
    Text,
    /// ZIP, also as an office document.
    Zip,
    /// Another archive or compressed file.
    Archive,
    /// Zeros from its start to its end.
    Zeros,
    /// No bytes at all.
    Empty,
    /// Something else.
    Unknown,
}

const EXPORT: &str = "open it in the program that made it and export it as PNG or JPEG";
const LOOK_INSIDE: &str =
    "read what it says: the address that it came from answered with this instead of a picture";

impl ForeignFile {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 27] = [
        Self::Heic,
        Self::Avif,
        Self::JpegXl,
        Self::Jpeg2000,
        Self::CameraRaw,
        Self::Photoshop,
        Self::Gimp,
        Self::Svg,
        Self::Pdf,
        Self::PostScript,
        Self::HighDynamicRange,
        Self::Icon,
        Self::RarePicture,
        Self::Video,
        Self::Model,
        Self::WebPage,
        Self::Json,
        Self::Xml,
        Self::LfsPointer,
        Self::Base64,
        Self::Mangled,
        Self::Text,
        Self::Zip,
        Self::Archive,
        Self::Zeros,
        Self::Empty,
        Self::Unknown,
    ];

    /// What it is, with its article.
    pub fn title(self) -> &'static str {
        match self {
            Self::Heic => "a HEIC picture",
            Self::Avif => "an AVIF picture",
            Self::JpegXl => "a JPEG XL picture",
            Self::Jpeg2000 => "a JPEG 2000 or JPEG XR picture",
            Self::CameraRaw => "a camera's raw file",
            Self::Photoshop => "a Photoshop document",
            Self::Gimp => "a GIMP document",
            Self::Svg => "an SVG drawing",
            Self::Pdf => "a PDF document",
            Self::PostScript => "a PostScript document",
            Self::HighDynamicRange => "an OpenEXR or Radiance picture",
            Self::Icon => "an icon file",
            Self::RarePicture => "a Netpbm, TGA, PCX, QOI, DDS or KTX picture",
            Self::Video => "a video",
            Self::Model => "a 3D model",
            Self::WebPage => "a web page",
            Self::Json => "JSON",
            Self::Xml => "XML",
            Self::LfsPointer => "a git-lfs pointer",
            Self::Base64 => "a picture written as base64 text",
            Self::Mangled => "a picture damaged by being treated as text",
            Self::Text => "a text file",
            Self::Zip => "a ZIP archive or an office document",
            Self::Archive => "an archive or a compressed file",
            Self::Zeros => "a file of zeros",
            Self::Empty => "an empty file",
            Self::Unknown => "a file of an unknown kind",
        }
    }

    /// What to do about it, one sentence.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Heic => {
                "export it as JPEG (renaming it is not enough); an iPhone takes JPEG with Settings > Camera > Formats > Most Compatible"
            }
            Self::Avif | Self::JpegXl => {
                "open it in a browser or an image editor and save it as PNG or JPEG; renaming it is not enough"
            }
            Self::Jpeg2000 | Self::Gimp | Self::Photoshop | Self::RarePicture => EXPORT,
            Self::CameraRaw => "develop it in a photo program and export it as JPEG",
            Self::Svg => "export it as PNG, 1024 pixels wide or more",
            Self::Pdf | Self::PostScript => "export the page that shows the object as PNG",
            Self::HighDynamicRange => "tone-map it in an image editor and save it as PNG",
            Self::Icon => "save the largest picture in it as PNG",
            Self::Video => "save one frame of it as PNG or JPEG",
            Self::Model => "use the picture that the model is to be made from",
            Self::WebPage => {
                "download the picture itself: open the page in a browser and save the picture from there"
            }
            Self::Json | Self::Xml => LOOK_INSIDE,
            Self::LfsPointer => "run `git lfs pull` where the file comes from, then use it again",
            Self::Base64 => "decode it first, for example with `base64 -d`, without a `data:` prefix",
            Self::Mangled => "send the file's bytes as they are, for example with `curl -F image=@photo.png`",
            Self::Text | Self::Unknown => "save the picture as PNG or JPEG",
            Self::Zip | Self::Archive => "unpack it and use the picture inside",
            Self::Zeros | Self::Empty => "save or download the picture again: the file has nothing of it",
        }
    }

    /// A sentence that says so.
    pub fn sentence(self) -> String {
        let listed = PictureFormat::LISTED;
        match self {
            Self::Unknown => format!("this is not a {listed} picture"),
            known => format!("this is {}, not a {listed} picture", known.title()),
        }
    }
}
