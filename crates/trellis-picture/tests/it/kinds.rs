//! What is not read is named, by its content and not by its name.

use trellis_picture::{FileKind, ForeignFile, PictureError, decode, recognise};

use crate::kit::{MAX_PIXELS, bars, encoded, tiff};

fn brand(major: [u8; 4], compatible: &[&[u8; 4]]) -> Vec<u8> {
    let mut bytes = u32::try_from(16 + 4 * compatible.len())
        .unwrap()
        .to_be_bytes()
        .to_vec();
    bytes.extend(b"ftyp");
    bytes.extend(major);
    bytes.extend([0; 4]);
    bytes.extend(compatible.iter().copied().flatten());
    bytes.extend([1; 32]);
    bytes
}

fn start(bytes: &[u8]) -> Vec<u8> {
    [bytes, &[1, 2, 3, 0xFE, 0xFF, 0, 9]].concat()
}

/// At least one file of each kind.
fn files() -> Vec<(ForeignFile, Vec<u8>)> {
    [pictures(), documents(), texts()].concat()
}

fn pictures() -> Vec<(ForeignFile, Vec<u8>)> {
    use ForeignFile as F;
    vec![
        (F::Heic, brand(*b"heic", &[b"mif1", b"heic"])),
        (F::Heic, brand(*b"mif1", &[b"heix"])),
        (F::Heic, brand(*b"msf1", &[b"hevc"])),
        (F::Heic, brand(*b"mif1", &[b"mif1"])),
        (F::Avif, brand(*b"avif", &[b"mif1", b"miaf"])),
        (F::Avif, brand(*b"mif1", &[b"avif"])),
        (F::JpegXl, start(b"\0\0\0\x0cJXL \r\n\x87\n")),
        (F::JpegXl, start(b"\xff\x0a")),
        (F::Jpeg2000, start(b"\0\0\0\x0cjP  \r\n\x87\n")),
        (F::Jpeg2000, start(b"\xff\x4f\xff\x51")),
        (F::CameraRaw, brand(*b"crx ", &[b"crx ", b"isom"])),
        (F::CameraRaw, start(b"II*\0\x10\0\0\0CR\x02\0")),
        (F::CameraRaw, start(b"FUJIFILMCCD-RAW 0201")),
        (F::CameraRaw, start(b"IIU\0\x08\0\0\0")),
        (F::CameraRaw, start(b"IIRO\x08\0\0\0")),
        // DNG by its version; a sensor's pattern; a thumbnail with the sensor's pixels below it.
        (F::CameraRaw, tiff(&[&[(0xC612, 4, 1)]])),
        (F::CameraRaw, tiff(&[&[(262, 3, 32_803)]])),
        (F::CameraRaw, tiff(&[&[(254, 4, 1), (330, 4, 8)]])),
    ]
}

fn documents() -> Vec<(ForeignFile, Vec<u8>)> {
    use ForeignFile as F;
    vec![
        (F::Photoshop, start(b"8BPS\0\x01")),
        (F::Gimp, start(b"gimp xcf v011\0")),
        (F::Svg, b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>".to_vec()),
        (
            F::Svg,
            b"\xef\xbb\xbf<?xml version=\"1.0\"?>\n<!-- drawn -->\n<svg width=\"9\">".to_vec(),
        ),
        (F::Pdf, start(b"%PDF-1.7\n")),
        (F::Pdf, start(b"\0\0\0%PDF-1.7\n")),
        (F::PostScript, b"%!PS-Adobe-3.0 EPSF-3.0\n".to_vec()),
        (F::HighDynamicRange, start(b"\x76\x2f\x31\x01")),
        (F::HighDynamicRange, b"#?RADIANCE\n".to_vec()),
        (F::Icon, start(b"\0\0\x01\0\x02\0\x10\x10")),
        (F::RarePicture, b"P6\n2 2\n255\n".to_vec()),
        (F::RarePicture, start(b"qoif")),
        (
            F::RarePicture,
            [&[0, 0, 2][..], &[0; 40], b"TRUEVISION-XFILE.\0"].concat(),
        ),
        // TGA's first version has no signature.
        (
            F::RarePicture,
            [&[0, 0, 10][..], &[0; 9], &[144, 1, 144, 1, 32, 8], &[7; 90]].concat(),
        ),
        (F::RarePicture, [&[0x0A, 5, 1, 8][..], &[1; 124]].concat()),
        (F::Video, brand(*b"isom", &[b"iso2", b"avc1", b"mp41"])),
        (F::Video, brand(*b"qt  ", &[b"qt  "])),
        (F::Video, start(b"\0\0\x10\0moov\0\0\0\x6cmvhd")),
        (F::Video, start(b"\x1a\x45\xdf\xa3")),
        (F::Video, start(b"RIFF\x10\0\0\0AVI LIST")),
        (F::Model, start(b"glTF\x02\0\0\0")),
        (F::Model, b"ply\nformat ascii 1.0\n".to_vec()),
    ]
}

fn texts() -> Vec<(ForeignFile, Vec<u8>)> {
    use ForeignFile as F;
    let png = encoded(bars(), image::ImageFormat::Png);
    let jpeg = encoded(bars(), image::ImageFormat::Jpeg);
    let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned().into_bytes();
    let latin = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| char::from(*byte))
            .collect::<String>()
            .into_bytes()
    };
    let utf16: Vec<u8> = "\u{feff}<html></html>"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    vec![
        (
            F::WebPage,
            b"<!DOCTYPE html><html><head><title>404</title>".to_vec(),
        ),
        (F::WebPage, b"\n\n  <HTML>".to_vec()),
        (F::WebPage, b"<?xml version=\"1.0\"?><html xmlns=\"x\">".to_vec()),
        (F::WebPage, utf16),
        (F::Json, br#"{"error": "not found"}"#.to_vec()),
        (F::Json, b"[ {\"a\": 1} ]".to_vec()),
        (
            F::Xml,
            b"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>".to_vec(),
        ),
        (F::Xml, b"<Error><Code>NoSuchKey</Code></Error>".to_vec()),
        (
            F::LfsPointer,
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n".to_vec(),
        ),
        (F::Base64, b"data:image/png;base64,iVBORw0KGgo=".to_vec()),
        (F::Base64, b"/9j/4AAQSkZJRgABAQAAAQABAAD".to_vec()),
        (F::Base64, b"iVBORw0KGgoAAAANSUhEUgAA".to_vec()),
        (F::Mangled, lossy(&png)),
        (F::Mangled, lossy(&jpeg)),
        (F::Mangled, latin(&png)),
        (F::Mangled, latin(&jpeg)),
        (F::Mangled, [b"\x89PNG\n\x1a\n", &png[8..]].concat()),
        (F::Text, b"not a picture".to_vec()),
        (
            F::Text,
            "cut within a character \u{e4}"
                .as_bytes()
                .split_last()
                .unwrap()
                .1
                .to_vec(),
        ),
        (F::Zip, start(b"PK\x03\x04\x14\0")),
        (F::Archive, start(b"\x1f\x8b\x08\0")),
        (F::Archive, start(b"7z\xbc\xaf\x27\x1c")),
        (F::Zeros, vec![0; 5000]),
        (F::Empty, vec![]),
        (F::Unknown, vec![0x7F, b'E', b'L', b'F', 2, 1, 1, 0, 0]),
    ]
}

#[test]
fn every_kind_is_named_with_its_advice() {
    let files = files();
    for kind in ForeignFile::ALL {
        assert!(
            files.iter().any(|(of, _)| *of == kind),
            "{kind:?} has no file here"
        );
    }
    for (index, (kind, bytes)) in files.into_iter().enumerate() {
        assert_eq!(recognise(&bytes), FileKind::Foreign(kind), "file {index}");
        let error = decode(&bytes, MAX_PIXELS).unwrap_err();
        assert!(
            matches!(error, PictureError::NotRead { file } if file == kind),
            "{error:?}"
        );
        let text = error.to_string();
        assert!(
            text.ends_with("not a PNG, JPEG, WebP, GIF, BMP or TIFF picture"),
            "{text}"
        );
        assert!(
            kind == ForeignFile::Unknown || text.contains(kind.title()),
            "{text}"
        );
        assert!(!error.advice().is_empty() && !error.advice().ends_with('.'));
    }
}

#[test]
fn texts_that_start_like_pictures_are_texts() {
    for text in [
        "BMW is a maker of cars",
        "GIF is a format",
        "II*",
        "P6 is a bus",
        "MM",
    ] {
        let found = recognise(text.as_bytes());
        assert!(matches!(found, FileKind::Foreign(_)), "{text}: {found:?}");
    }
}
