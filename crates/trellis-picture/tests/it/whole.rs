//! Files that end before their picture does are refused by the header's reader already; whole ones never are.

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{DynamicImage, ExtendedColorType, ImageEncoder as _, ImageFormat, RgbImage};
use jpeg_encoder::{ColorType, Encoder};
use moxcms::ColorProfile;
use proptest::prelude::*;
use trellis_picture::{PictureError, decode, probe};

use crate::kit::{
    MAX_PIXELS, animated_webp, bars, encoded, gif, ink_profile, jpeg, tiff, with_chunk, with_profile,
};

/// Whole files of every format, in their forms.
fn whole() -> Vec<(&'static str, Vec<u8>)> {
    let p3 = ColorProfile::new_display_p3().encode().unwrap();
    let png = encoded(bars(), ImageFormat::Png);
    let mut files = vec![
        ("png with a chunk", with_chunk(&png, *b"cICP", &[12, 13, 0, 1])),
        ("png", png),
        ("png in many chunks", noise_png()),
        ("bmp", encoded(bars(), ImageFormat::Bmp)),
        (
            "bmp, odd rows",
            encoded(
                RgbImage::from_fn(31, 9, |x, y| *bars().get_pixel(x, y)),
                ImageFormat::Bmp,
            ),
        ),
        ("bmp in runs", runs()),
        ("webp", encoded(bars(), ImageFormat::WebP)),
        ("webp with EXIF", webp_with_exif()),
        ("webp animation", animated_webp(2)),
        ("jpeg", jpeg(&[200, 100, 9], ColorType::Rgb, Some(&p3))),
        (
            "jpeg of inks",
            jpeg(&[200, 100, 9, 9], ColorType::Cmyk, Some(&ink_profile())),
        ),
        ("progressive jpeg", progressive()),
        ("gif", gif(1)),
        ("gif animation", gif(3)),
        ("tiff", encoded(bars(), ImageFormat::Tiff)),
        ("tiff, directory first", tiff(&[&[]])),
        ("tiff of two pages", tiff(&[&[], &[]])),
    ];
    files.extend(with_profile(&bars().into(), &p3));
    files
}

/// Its pixels are in several chunks.
fn noise_png() -> Vec<u8> {
    let pixels =
        (0..300 * 300 * 3_u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 24).to_le_bytes()[0]);
    let mut png = Vec::new();
    PngEncoder::new_with_quality(&mut png, CompressionType::Fast, FilterType::Sub)
        .write_image(&pixels.collect::<Vec<_>>(), 300, 300, ExtendedColorType::Rgb8)
        .unwrap();
    png
}

/// A BMP of 4 × 3 pixels of eight bits in runs: a run, single pixels, a jump, the end.
fn runs() -> Vec<u8> {
    let mut palette = [[0, 0, 200, 0], [0, 200, 0, 0]].concat();
    palette.resize(1024, 0);
    let content = [4, 1, 0, 0, 0, 3, 0, 1, 0, 0, 0, 2, 1, 0, 2, 1, 0, 0, 0, 1];
    let pixels_at = 14 + 40 + 1024_u32;
    let mut out = b"BM".to_vec();
    out.extend((pixels_at + 20).to_le_bytes());
    out.extend([0; 4]);
    out.extend(pixels_at.to_le_bytes());
    for word in [40, 4, 3, 1 | 8 << 16, 1, 20, 0, 0, 256, 0] {
        out.extend(u32::to_le_bytes(word));
    }
    out.extend(palette);
    out.extend(content);
    out
}

fn webp_with_exif() -> Vec<u8> {
    let exif = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let image = bars();
    let mut out = Vec::new();
    let mut encoder = image::codecs::webp::WebPEncoder::new_lossless(&mut out);
    encoder.set_exif_metadata(exif.to_vec()).unwrap();
    encoder
        .write_image(image.as_raw(), 64, 48, ExtendedColorType::Rgb8)
        .unwrap();
    out
}

fn progressive() -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = Encoder::new(&mut out, 90);
    encoder.set_progressive(true);
    encoder.encode(bars().as_raw(), 64, 48, ColorType::Rgb).unwrap();
    out
}

fn is_damaged(error: &PictureError) -> bool {
    matches!(error, PictureError::CutShort | PictureError::Damaged { .. })
}

/// A cut of the last byte, of the first half, and a hundred places between.
fn cuts(length: usize) -> impl Iterator<Item = usize> {
    (32..length.min(200))
        .chain((1..100).map(move |part| length * part / 100))
        .chain(length.saturating_sub(40)..length)
}

#[test]
fn whole_pictures_pass() {
    for (name, bytes) in whole() {
        let passed = probe(&bytes, MAX_PIXELS)
            .map(drop)
            .and(decode(&bytes, MAX_PIXELS).map(drop));
        assert!(passed.is_ok(), "{name}: {passed:?}");
        // Cameras and editors write something after the picture.
        let followed = [bytes, b"and more".to_vec()].concat();
        assert!(probe(&followed, MAX_PIXELS).is_ok(), "{name}");
    }
}

#[test]
fn what_the_decoder_refuses_of_a_cut_file_is_refused_by_its_structure() {
    for (name, bytes) in whole() {
        let mut refused = 0;
        for length in cuts(bytes.len()) {
            let cut = &bytes[..length];
            let by_structure = probe(cut, MAX_PIXELS);
            let by_decoder = image::load_from_memory(cut);
            match by_structure {
                Err(error) => {
                    assert!(is_damaged(&error) || length < 40, "{name}, {length}: {error:?}");
                    refused += 1;
                }
                Ok(_) => assert!(
                    by_decoder.is_ok(),
                    "{name} of {length} bytes passes: {by_decoder:?}"
                ),
            }
        }
        let some = if name.contains("animation") || name.contains("pages") {
            20
        } else {
            95
        };
        assert!(refused >= some, "{name}: {refused} refused");
    }
}

#[test]
fn a_changed_byte_among_the_pixels_of_a_png_is_found() {
    let mut png = noise_png();
    let at = png.len() / 2;
    png[at] ^= 1;
    assert!(is_damaged(&probe(&png, MAX_PIXELS).unwrap_err()));
}

#[test]
fn a_frame_larger_than_its_webp_is_refused_before_memory_is_set_aside() {
    // A canvas of 20 × 10 pixels around a frame of VP8 of 16,383 × 16,383.
    let mut webp = animated_webp(1);
    let frame = webp.windows(4).position(|name| name == b"VP8L").unwrap();
    webp[frame..frame + 4].copy_from_slice(b"VP8 ");
    webp[frame + 8..frame + 18].copy_from_slice(&[0x10, 0, 0, 0x9D, 1, 0x2A, 0xFF, 0x3F, 0xFF, 0x3F]);
    let error = probe(&webp, MAX_PIXELS).unwrap_err();
    assert!(
        matches!(&error, PictureError::Damaged { source } if source.to_string().contains("another size")),
        "{error:?}"
    );
}

#[test]
fn work_out_of_proportion_is_refused() {
    // The second scan of a progressive picture, again and again.
    let jpeg = progressive();
    let scans: Vec<usize> = (0..jpeg.len() - 1)
        .filter(|at| jpeg[*at..*at + 2] == [0xFF, 0xDA])
        .collect();
    let (start, end) = (scans[1], scans[2]);
    let many = [&jpeg[..start], &jpeg[start..end].repeat(100), &jpeg[end..]].concat();
    // Strips become tiles: the rows of each its width.
    let mut tiled = tiff(&[&[(278, 4, 1 << 30), (323, 4, 16)]]);
    for (strips, tiles) in [(273_u16, 324_u16), (278, 322), (279, 325)] {
        let entry = tiled[10..]
            .chunks(12)
            .position(|entry| entry[..2] == strips.to_le_bytes());
        let at = 10 + 12 * entry.unwrap();
        tiled[at..at + 2].copy_from_slice(&tiles.to_le_bytes());
    }
    for bytes in [many, tiled] {
        let error = probe(&bytes, MAX_PIXELS).unwrap_err();
        assert!(matches!(error, PictureError::UnreadForm { .. }), "{error:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_cut_is_accepted_and_fails_later(file in any::<prop::sample::Index>(), length in any::<prop::sample::Index>()) {
        let files = whole();
        let (name, bytes) = &files[file.index(files.len())];
        let cut = &bytes[..length.index(bytes.len())];
        if probe(cut, MAX_PIXELS).is_ok() {
            prop_assert!(decode(cut, MAX_PIXELS).is_ok(), "{} of {} bytes", name, cut.len());
        }
    }

    #[test]
    fn pictures_of_any_size_pass(width in 1..70_u32, height in 1..50_u32, format in 0..6_usize) {
        let image = DynamicImage::from(RgbImage::from_fn(width, height, |x, y| *bars().get_pixel(x % 64, y % 48)));
        let formats = [ImageFormat::Png, ImageFormat::Bmp, ImageFormat::WebP, ImageFormat::Jpeg, ImageFormat::Tiff, ImageFormat::Gif];
        let image = if format == 5 { image.into_rgba8().into() } else { image };
        prop_assert!(probe(&encoded(image, formats[format]), MAX_PIXELS).is_ok());
    }
}
