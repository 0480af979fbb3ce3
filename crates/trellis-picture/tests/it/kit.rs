//! Files made by code: pictures with profiles, chunks, frames and pages.

use std::io::Cursor;

use image::codecs::gif::GifEncoder;
use image::codecs::png::PngEncoder;
use image::codecs::tiff::TiffEncoder;
use image::codecs::webp::WebPEncoder;
use image::{DynamicImage, Frame, ImageEncoder as _, ImageFormat, Rgb, RgbImage};
use jpeg_encoder::{ColorType, Encoder};
use trellis_picture::{Picture, decode};

pub(crate) const MAX_PIXELS: u64 = 1_000_000;

/// Bars of every strength of some colours, so that profiles show; 64 × 48 pixels.
pub(crate) fn bars() -> RgbImage {
    RgbImage::from_fn(64, 48, |x, y| {
        let strength = u8::try_from(x * 4).unwrap();
        match y / 8 {
            0 => Rgb([strength, 0, 0]),
            1 => Rgb([0, strength, 0]),
            2 => Rgb([0, 0, strength]),
            3 => Rgb([strength; 3]),
            4 => Rgb([strength, 128, 255 - strength]),
            _ => Rgb([200, strength, 60]),
        }
    })
}

pub(crate) fn read(bytes: &[u8]) -> Picture {
    decode(bytes, MAX_PIXELS).unwrap()
}

pub(crate) fn notes(picture: &Picture) -> Vec<String> {
    picture.notes().iter().map(ToString::to_string).collect()
}

pub(crate) fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    image.into().write_to(&mut out, format).unwrap();
    out.into_inner()
}

/// A file of each format that holds a profile, without loss, and its name.
pub(crate) fn with_profile(image: &DynamicImage, profile: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let (width, height, colour) = (image.width(), image.height(), image.color().into());
    let mut files = Vec::new();
    let mut png = Vec::new();
    let mut encoder = PngEncoder::new(&mut png);
    encoder.set_icc_profile(profile.to_vec()).unwrap();
    encoder
        .write_image(image.as_bytes(), width, height, colour)
        .unwrap();
    files.push(("png", png));
    let mut tiff = Cursor::new(Vec::new());
    let mut encoder = TiffEncoder::new(&mut tiff);
    encoder.set_icc_profile(profile.to_vec()).unwrap();
    encoder
        .write_image(image.as_bytes(), width, height, colour)
        .unwrap();
    files.push(("tiff", tiff.into_inner()));
    if image.color().bytes_per_pixel() == image.color().channel_count() {
        let mut webp = Vec::new();
        let mut encoder = WebPEncoder::new_lossless(&mut webp);
        encoder.set_icc_profile(profile.to_vec()).unwrap();
        encoder
            .write_image(image.as_bytes(), width, height, colour)
            .unwrap();
        files.push(("webp", webp));
    }
    files
}

/// A JPEG of 32 × 32 pixels of one colour, its profile in parts of 60,000 bytes.
pub(crate) fn jpeg(pixel: &[u8], colour: ColorType, profile: Option<&[u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = Encoder::new(&mut out, 100);
    if let Some(profile) = profile {
        encoder.add_icc_profile(profile).unwrap();
    }
    encoder.encode(&pixel.repeat(32 * 32), 32, 32, colour).unwrap();
    out
}

/// A PNG with another chunk before its pixels.
pub(crate) fn with_chunk(png: &[u8], name: [u8; 4], body: &[u8]) -> Vec<u8> {
    let mut out = png[..33].to_vec();
    out.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
    let named = [&name, body].concat();
    out.extend(&named);
    out.extend(crc(&named).to_be_bytes());
    out.extend(&png[33..]);
    out
}

fn crc(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = (sum >> 1) ^ if sum & 1 == 1 { 0xEDB8_8320 } else { 0 };
        }
    }
    !sum
}

/// An animation whose frames get darker.
pub(crate) fn gif(frames: u8) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = GifEncoder::new(&mut out);
    for frame in 0..frames {
        let shade = 250 - 20 * frame;
        let image = RgbImage::from_pixel(20, 10, Rgb([shade; 3]));
        encoder
            .encode_frame(Frame::new(DynamicImage::from(image).into_rgba8()))
            .unwrap();
    }
    drop(encoder);
    out
}

/// An animated WebP of the same picture again and again.
pub(crate) fn animated_webp(frames: usize) -> Vec<u8> {
    let still = encoded(RgbImage::from_pixel(20, 10, Rgb([9, 200, 9])), ImageFormat::WebP);
    let chunk = |name: &[u8; 4], body: &[u8]| {
        let length = u32::try_from(body.len()).unwrap().to_le_bytes();
        let padding = vec![0; body.len() % 2];
        [name, length.as_slice(), body, &padding].concat()
    };
    let mut body = b"WEBP".to_vec();
    // The flag of animations; sides less 1 in three bytes each.
    body.extend(chunk(b"VP8X", &[2, 0, 0, 0, 19, 0, 0, 9, 0, 0]));
    body.extend(chunk(b"ANIM", &[0; 6]));
    for _ in 0..frames {
        let place = [0, 0, 0, 0, 0, 0, 19, 0, 0, 9, 0, 0, 100, 0, 0, 0];
        body.extend(chunk(b"ANMF", &[&place, &still[12..]].concat()));
    }
    chunk(b"RIFF", &body)
}

/// One entry of a TIFF's directory: tag, type (3: two bytes, 4: four), value.
pub(crate) type Entry = (u16, u16, u32);

/// A little-endian TIFF of grey pages of 2 × 2 pixels, each with some more entries.
pub(crate) fn tiff(pages: &[&[Entry]]) -> Vec<u8> {
    let mut out = b"II*\0\x08\0\0\0".to_vec();
    for (index, more) in pages.iter().enumerate() {
        let count = 8 + more.len();
        let strip = u32::try_from(out.len() + 2 + 12 * count + 4).unwrap();
        let mut entries: Vec<Entry> = vec![
            (256, 3, 2),
            (257, 3, 2),
            (258, 3, 8),
            (259, 3, 1),
            (262, 3, 1),
            (273, 4, strip),
            (278, 3, 2),
            (279, 4, 4),
        ];
        for entry in *more {
            entries.retain(|(tag, ..)| *tag != entry.0);
            entries.push(*entry);
        }
        entries.sort_unstable();
        let missing = count - entries.len();
        out.extend(u16::try_from(entries.len()).unwrap().to_le_bytes());
        for (tag, kind, value) in entries {
            out.extend(tag.to_le_bytes());
            out.extend(kind.to_le_bytes());
            out.extend(1_u32.to_le_bytes());
            out.extend(value.to_le_bytes());
        }
        let next = if index + 1 == pages.len() { 0 } else { strip + 4 };
        out.extend(next.to_le_bytes());
        out.resize(out.len() + 12 * missing, 0);
        out.extend([10, 20, 30, 40]);
    }
    out
}

/// A profile for CMYK, made by hand: a table (ICC.1, `mft1`) of two steps for each ink. Black darkens; cyan
/// alone is the colour Lab(55, -37, -50); the others are grey.
pub(crate) fn ink_profile() -> Vec<u8> {
    let mut table = b"mft1\0\0\0\0\x04\x03\x02\0".to_vec();
    for value in [1_u32, 0, 0, 0, 1, 0, 0, 0, 1] {
        table.extend((value << 16).to_be_bytes());
    }
    for _ in 0..4 {
        table.extend(0..=255);
    }
    for node in 0..16_u8 {
        let [cyan, magenta, yellow, black] = [8, 4, 2, 1].map(|bit| node & bit != 0);
        table.extend(match (black, cyan, magenta, yellow) {
            (true, ..) => [20, 128, 128],
            (false, true, false, false) => [140, 91, 78],
            (false, _, magenta, yellow) => {
                let inks = [cyan, magenta, yellow].into_iter().filter(|ink| *ink).count();
                [[255, 128, 128], [200, 128, 128], [150, 128, 128], [90, 128, 128]][inks]
            }
        });
    }
    for _ in 0..3 {
        table.extend(0..=255);
    }
    let mut profile = vec![0; 128];
    profile[8..12].copy_from_slice(&[2, 0x40, 0, 0]);
    profile[12..24].copy_from_slice(b"prtrCMYKLab ");
    profile[36..40].copy_from_slice(b"acsp");
    // The illuminant D50.
    profile[68..80].copy_from_slice(&[0, 0, 0xF6, 0xD6, 0, 1, 0, 0, 0, 0, 0xD3, 0x2D]);
    profile.extend(1_u32.to_be_bytes());
    profile.extend(b"A2B0");
    profile.extend(144_u32.to_be_bytes());
    profile.extend(u32::try_from(table.len()).unwrap().to_be_bytes());
    profile.extend(table);
    let length = u32::try_from(profile.len()).unwrap();
    profile[..4].copy_from_slice(&length.to_be_bytes());
    profile
}
