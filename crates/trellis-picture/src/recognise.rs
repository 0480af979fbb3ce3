//! Tells by its first bytes what a file is; names and media types that somebody claims are not looked at.
//!
//! Sources: the formats' own specifications, and ISO/IEC 14496-12 for the family of MP4, HEIF and AVIF.

use trellis_core::PictureFormat;

use crate::tiff::Tiff;
use crate::{ForeignFile, text};

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A picture that is read.
    Picture(PictureFormat),
    /// Something else.
    Foreign(ForeignFile),
}

/// Tells what a file is. The first 64 KiB suffice, but for raw files whose directory lies at their end.
pub fn recognise(bytes: &[u8]) -> FileKind {
    if let Some(format) = picture(bytes) {
        return FileKind::Picture(format);
    }
    let foreign = if bytes.is_empty() {
        ForeignFile::Empty
    } else {
        by_signature(bytes)
            .or_else(|| media_file(bytes))
            .or_else(|| text::recognise(bytes))
            .unwrap_or_else(|| remains(bytes))
    };
    FileKind::Foreign(foreign)
}

fn picture(bytes: &[u8]) -> Option<PictureFormat> {
    let format = match bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => PictureFormat::Png,
        [0xFF, 0xD8, 0xFF, ..] => PictureFormat::Jpeg,
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => PictureFormat::Webp,
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => PictureFormat::Gif,
        [b'B', b'M', ..] if is_bmp(bytes) => PictureFormat::Bmp,
        _ if Tiff::open(bytes).is_some_and(|tiff| !tiff.is_raw()) => PictureFormat::Tiff,
        _ => return None,
    };
    Some(format)
}

/// `BM` alone also starts texts; the size of the second header tells.
fn is_bmp(bytes: &[u8]) -> bool {
    matches!(
        bytes.get(14..18),
        Some([12 | 16 | 40 | 52 | 56 | 64 | 108 | 124, 0, 0, 0])
    )
}

/// TGA has its signature at its end.
fn is_tga(bytes: &[u8]) -> bool {
    bytes.ends_with(b"TRUEVISION-XFILE.\0")
}

/// TGA's first version has no signature at all: the fields of its header must fit each other, without a colour
/// map and with a size.
fn may_be_old_tga(bytes: &[u8]) -> bool {
    matches!(
        bytes,
        [_, 0, 2 | 3 | 10 | 11, 0, 0, 0, 0, 0, _, _, _, _, w0, w1, h0, h1, 8 | 15 | 16 | 24 | 32, flags, ..]
            if [*w0, *w1] != [0, 0] && [*h0, *h1] != [0, 0] && flags & 0xC0 == 0
    )
}

/// PCX: maker, version, run lengths, bits a pixel.
fn is_pcx(bytes: &[u8]) -> bool {
    matches!(bytes, [0x0A, 0 | 2..=5, 0 | 1, 1 | 2 | 4 | 8, ..] if bytes.len() >= 128)
}

/// Files with a signature of their own.
fn by_signature(bytes: &[u8]) -> Option<ForeignFile> {
    const REPLACED: &[u8] = "\u{fffd}".as_bytes();
    type Start = (&'static [u8], ForeignFile);
    const STARTS: &[Start] = &[
        (b"\0\0\0\x0cJXL \r\n\x87\n", ForeignFile::JpegXl),
        (b"\xff\x0a", ForeignFile::JpegXl),
        (b"\0\0\0\x0cjP  \r\n\x87\n", ForeignFile::Jpeg2000),
        (b"\xff\x4f\xff\x51", ForeignFile::Jpeg2000),
        (b"II\xbc", ForeignFile::Jpeg2000),
        (b"IIRO", ForeignFile::CameraRaw),
        (b"IIRS", ForeignFile::CameraRaw),
        (b"MMOR", ForeignFile::CameraRaw),
        (b"IIU\0", ForeignFile::CameraRaw),
        (b"II\x1a\0\0\0HEAPCCDR", ForeignFile::CameraRaw),
        (b"FUJIFILMCCD-RAW", ForeignFile::CameraRaw),
        (b"FOVb", ForeignFile::CameraRaw),
        (b"\0MRM", ForeignFile::CameraRaw),
        // What remains after the pictures.
        (b"II*\0", ForeignFile::CameraRaw),
        (b"MM\0*", ForeignFile::CameraRaw),
        (b"II+\0", ForeignFile::CameraRaw),
        (b"MM\0+", ForeignFile::CameraRaw),
        (b"8BPS", ForeignFile::Photoshop),
        (b"gimp xcf", ForeignFile::Gimp),
        (b"%PDF-", ForeignFile::Pdf),
        (b"%!PS", ForeignFile::PostScript),
        (b"\xc5\xd0\xd3\xc6", ForeignFile::PostScript),
        (b"\x76\x2f\x31\x01", ForeignFile::HighDynamicRange),
        (b"#?RADIANCE", ForeignFile::HighDynamicRange),
        (b"#?RGBE", ForeignFile::HighDynamicRange),
        (b"icns", ForeignFile::Icon),
        (b"qoif", ForeignFile::RarePicture),
        (b"DDS ", ForeignFile::RarePicture),
        (b"\xabKTX ", ForeignFile::RarePicture),
        (b"glTF", ForeignFile::Model),
        (b"ply\nformat", ForeignFile::Model),
        (b"ply\r\nformat", ForeignFile::Model),
        (b"Kaydara FBX", ForeignFile::Model),
        (b"BLENDER", ForeignFile::Model),
        (b"\x1a\x45\xdf\xa3", ForeignFile::Video),
        (b"OggS", ForeignFile::Video),
        (b"FLV\x01", ForeignFile::Video),
        (b"\0\0\x01\xba", ForeignFile::Video),
        (b"PK\x03\x04", ForeignFile::Zip),
        (b"PK\x05\x06", ForeignFile::Zip),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", ForeignFile::Zip),
        (b"\x1f\x8b", ForeignFile::Archive),
        (b"BZh", ForeignFile::Archive),
        (b"\xfd7zXZ\0", ForeignFile::Archive),
        (b"\x28\xb5\x2f\xfd", ForeignFile::Archive),
        (b"7z\xbc\xaf\x27\x1c", ForeignFile::Archive),
        (b"Rar!\x1a\x07", ForeignFile::Archive),
        // The first bytes of PNG and JPEG, each byte beyond ASCII replaced or in two of UTF-8; PNG's line
        // ends rewritten.
        (b"\xef\xbf\xbdPNG", ForeignFile::Mangled),
        (b"\xc2\x89PNG", ForeignFile::Mangled),
        (b"\x89PNG\n\x1a\n", ForeignFile::Mangled),
        (b"\x89PNG\r\r\n", ForeignFile::Mangled),
        (b"\xc3\xbf\xc3\x98\xc3\xbf", ForeignFile::Mangled),
    ];
    let found = STARTS.iter().find(|(start, _)| bytes.starts_with(start));
    match bytes {
        _ if found.is_some() => found.map(|(_, kind)| *kind),
        // Each of JPEG's first four bytes is beyond ASCII.
        _ if bytes.starts_with(&REPLACED.repeat(4)) => Some(ForeignFile::Mangled),
        // Icons, cursors: how many pictures follow.
        [0, 0, 1 | 2, 0, low, high, ..] if [*low, *high] != [0, 0] && !is_tga(bytes) => {
            Some(ForeignFile::Icon)
        }
        _ if is_tga(bytes) || may_be_old_tga(bytes) || is_pcx(bytes) => Some(ForeignFile::RarePicture),
        [b'P', b'1'..=b'7', b' ' | b'\n' | b'\r' | b'\t', ..] => Some(ForeignFile::RarePicture),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'A', b'V', b'I', b' ', ..] => Some(ForeignFile::Video),
        _ if bytes.get(257..262) == Some(b"ustar") => Some(ForeignFile::Archive),
        _ => None,
    }
}

/// The family of MP4: a box `ftyp` with brands, or QuickTime's older files without one.
fn media_file(bytes: &[u8]) -> Option<ForeignFile> {
    let kind = bytes.get(4..8)?;
    if kind != b"ftyp" {
        let quick_time = [b"moov", b"mdat", b"wide", b"skip", b"pnot"];
        return quick_time
            .iter()
            .any(|name| kind == *name)
            .then_some(ForeignFile::Video);
    }
    let length = u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?);
    let end = usize::try_from(length).ok()?.clamp(8, 256).min(bytes.len());
    // Major brand, version, compatible brands; the version is no brand.
    let brands: Vec<&[u8]> = bytes[8..end].chunks_exact(4).collect();
    let has = |names: &[&[u8]]| brands.iter().any(|brand| names.contains(brand));
    Some(match () {
        () if has(&[b"crx "]) => ForeignFile::CameraRaw,
        () if has(&[b"avif", b"avis"]) => ForeignFile::Avif,
        () if has(&[
            b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs",
        ]) =>
        {
            ForeignFile::Heic
        }
        () if has(&[b"mif1", b"msf1", b"mif2", b"miaf"]) => ForeignFile::Heic,
        () if has(&[b"jxl "]) => ForeignFile::JpegXl,
        () if has(&[b"jp2 ", b"jpx ", b"jpm "]) => ForeignFile::Jpeg2000,
        () => ForeignFile::Video,
    })
}

fn remains(bytes: &[u8]) -> ForeignFile {
    // A PDF may have some bytes before its header.
    let head = &bytes[..bytes.len().min(1024)];
    if bytes.iter().all(|byte| *byte == 0) {
        ForeignFile::Zeros
    } else if head.windows(5).any(|part| part == b"%PDF-") {
        ForeignFile::Pdf
    } else {
        ForeignFile::Unknown
    }
}
