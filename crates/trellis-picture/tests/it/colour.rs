//! What a picture says of its colours is followed. The expected values come from the definitions of the colour
//! spaces, not from the library that converts.

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use jpeg_encoder::ColorType;
use moxcms::ColorProfile;
use trellis_picture::{Note, Picture};

use crate::kit::{bars, encoded, ink_profile, jpeg, notes, read, with_chunk, with_profile};

type Matrix = [[f64; 3]; 3];
/// To linear light, by a colour's own curve.
type Curve = fn(f64) -> f64;

/// Linear light of a space with the white of D65, or brought to it, to linear sRGB.
const SAME: Matrix = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
const FROM_P3: Matrix = [
    [1.224_940, -0.224_940, 0.0],
    [-0.042_057, 1.042_057, 0.0],
    [-0.019_638, -0.078_636, 1.098_274],
];
const FROM_ADOBE: Matrix = [
    [1.398_284, -0.398_284, 0.0],
    [0.0, 1.0, 0.0],
    [0.0, -0.042_940, 1.042_940],
];
/// By way of Bradford's adaptation from D50.
const FROM_PRO_PHOTO: Matrix = [
    [2.034_367, -0.727_634, -0.306_733],
    [-0.228_826, 1.231_753, -0.002_927],
    [-0.008_558, -0.153_268, 1.161_826],
];

fn srgb_curve(value: f64) -> f64 {
    if value <= 0.04045 {
        value / 12.92
    } else {
        ((value + 0.055) / 1.055).powf(2.4)
    }
}

fn adobe_curve(value: f64) -> f64 {
    value.powf(563.0 / 256.0)
}

fn pro_photo_curve(value: f64) -> f64 {
    value.powf(1.8)
}

fn linear(value: f64) -> f64 {
    value
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to a byte"
)]
fn expected([r, g, b]: [u8; 3], matrix: Matrix, curve: Curve) -> [u8; 3] {
    let light = [r, g, b].map(|value| curve(f64::from(value) / 255.0));
    matrix.map(|row| {
        let sum: f64 = row.iter().zip(light).map(|(factor, value)| factor * value).sum();
        let value = sum.clamp(0.0, 1.0);
        let stored = if value <= 0.003_130_8 {
            value * 12.92
        } else {
            1.055 * value.powf(1.0 / 2.4) - 0.055
        };
        (stored * 255.0).round().clamp(0.0, 255.0) as u8
    })
}

/// The largest difference of the bars from what they should be.
fn off(picture: &Picture, matrix: Matrix, curve: Curve) -> u8 {
    let image = bars();
    let pixels = picture.pixels().chunks_exact(4).zip(image.pixels());
    let differences = pixels.flat_map(|(found, given)| {
        let expected = expected(given.0, matrix, curve);
        [0, 1, 2].map(|channel| found[channel].abs_diff(expected[channel]))
    });
    differences.max().unwrap()
}

fn spaces() -> [(&'static str, ColorProfile, Matrix, Curve); 3] {
    [
        ("Display P3", ColorProfile::new_display_p3(), FROM_P3, srgb_curve),
        (
            "Adobe RGB",
            ColorProfile::new_adobe_rgb(),
            FROM_ADOBE,
            adobe_curve,
        ),
        (
            "ProPhoto RGB",
            ColorProfile::new_pro_photo_rgb(),
            FROM_PRO_PHOTO,
            pro_photo_curve,
        ),
    ]
}

#[test]
fn profiles_are_converted_in_every_format() {
    for (name, profile, matrix, curve) in spaces() {
        let profile = profile.encode().unwrap();
        for (format, bytes) in with_profile(&bars().into(), &profile) {
            let picture = read(&bytes);
            let off = off(&picture, matrix, curve);
            assert!(off <= 2, "{name} in {format}: off by {off}");
            assert!(
                matches!(picture.notes(), [Note::Converted { .. }]),
                "{name} in {format}: {:?}",
                picture.notes()
            );
        }
    }
}

#[test]
fn sixteen_bits_are_converted_before_they_are_rounded() {
    let deep = DynamicImage::from(DynamicImage::from(bars()).into_rgb16());
    for (name, profile, matrix, curve) in spaces() {
        for (format, bytes) in with_profile(&deep, &profile.encode().unwrap()) {
            let off = off(&read(&bytes), matrix, curve);
            assert!(off <= 1, "{name} in {format}: off by {off}");
        }
    }
}

#[test]
fn a_jpeg_is_converted() {
    let profile = ColorProfile::new_display_p3().encode().unwrap();
    let colour = [180, 90, 60];
    let picture = read(&jpeg(&colour, ColorType::Rgb, Some(&profile)));
    let expected = expected(colour, FROM_P3, srgb_curve);
    for (found, expected) in picture.pixels().iter().zip(expected) {
        assert!(found.abs_diff(expected) <= 2, "{:?}", &picture.pixels()[..4]);
    }
    let text = notes(&picture).concat();
    assert!(
        text.starts_with("the picture's colours were converted from `"),
        "{text}"
    );
}

#[test]
fn srgb_by_a_profile_changes_no_byte_and_says_nothing() {
    let profile = ColorProfile::new_srgb().encode().unwrap();
    for (format, bytes) in with_profile(&bars().into(), &profile) {
        let picture = read(&bytes);
        assert_eq!(
            (off(&picture, SAME, srgb_curve), notes(&picture)),
            (0, vec![]),
            "{format}"
        );
    }
}

#[test]
fn grey_with_a_profile_is_converted() {
    let profile = ColorProfile::new_gray_with_gamma(1.0).encode().unwrap();
    let ramp = image::GrayImage::from_fn(256, 1, |x, _| image::Luma([u8::try_from(x).unwrap()]));
    let files = with_profile(&ramp.into(), &profile);
    // WebP has no grey.
    for (format, bytes) in files.into_iter().filter(|(format, _)| *format != "webp") {
        let picture = read(&bytes);
        for (value, found) in (0..=255).zip(picture.pixels().chunks_exact(4)) {
            let expected = expected([value; 3], SAME, linear);
            // Near black the curve is steep.
            let allowed = if value < 8 { 6 } else { 2 };
            let off = (0..3)
                .map(|channel| found[channel].abs_diff(expected[channel]))
                .max()
                .unwrap();
            assert!(
                off <= allowed && found[3] == 255,
                "{format} {value}: {found:?} for {expected:?}"
            );
        }
        assert!(matches!(picture.notes(), [Note::Converted { .. }]), "{format}");
    }
}

#[test]
fn alpha_is_no_colour() {
    let profile = ColorProfile::new_pro_photo_rgb().encode().unwrap();
    let mut image = DynamicImage::from(bars()).into_rgba8();
    image.get_pixel_mut(3, 3).0[3] = 7;
    for (format, bytes) in with_profile(&image.into(), &profile) {
        let picture = read(&bytes);
        let alphas: Vec<u8> = picture.pixels().iter().skip(3).step_by(4).copied().collect();
        assert_eq!((alphas[3 * 64 + 3], alphas[0]), (7, 255), "{format}");
    }
}

#[test]
fn chunks_of_png_are_followed_in_their_order() {
    let plain = encoded(bars(), ImageFormat::Png);
    let linear_gamma = 100_000_u32.to_be_bytes();
    let gamma = |png: &[u8]| with_chunk(png, *b"gAMA", &linear_gamma);
    let p3 = |png: &[u8]| with_chunk(png, *b"cICP", &[12, 13, 0, 1]);
    let cases = [
        ("gamma", gamma(&plain), SAME, linear as Curve, 1),
        ("code points", p3(&plain), FROM_P3, srgb_curve, 1),
        (
            "code points before gamma",
            p3(&gamma(&plain)),
            FROM_P3,
            srgb_curve,
            1,
        ),
        (
            "sRGB before gamma",
            with_chunk(&gamma(&plain), *b"sRGB", &[0]),
            SAME,
            srgb_curve,
            0,
        ),
        (
            "code points of sRGB",
            with_chunk(&plain, *b"cICP", &[1, 13, 0, 1]),
            SAME,
            srgb_curve,
            0,
        ),
        (
            "1/2.2",
            with_chunk(&plain, *b"gAMA", &45_455_u32.to_be_bytes()),
            SAME,
            srgb_curve,
            0,
        ),
    ];
    for (name, bytes, matrix, curve, count) in cases {
        let picture = read(&bytes);
        let off = off(&picture, matrix, curve);
        assert!(off <= 6, "{name}: off by {off}");
        assert_eq!(picture.notes().len(), count, "{name}: {:?}", picture.notes());
    }
    let hdr = read(&with_chunk(&plain, *b"cICP", &[9, 16, 0, 1]));
    assert_eq!(hdr.notes(), [Note::HighDynamicRange]);
}

/// Adobe's programs store inks inverted and say so by their marker.
#[test]
fn inks_become_light_however_they_are_stored() {
    let cyan = [255, 0, 0, 0];
    for colour in [ColorType::Cmyk, ColorType::CmykAsYcck] {
        let marked = jpeg(&cyan, colour, None);
        let picture = read(&marked);
        let [r, g, b, a] = picture.pixels()[..4] else {
            unreachable!()
        };
        assert!(
            r < 4 && g > 251 && b > 251 && a == 255,
            "{colour:?}: {:?}",
            &picture.pixels()[..4]
        );
        assert_eq!(picture.notes(), [Note::InkWithoutProfile]);
    }
    // Without the marker, 0 is no ink.
    let marked = jpeg(&cyan.map(|ink| 255 - ink), ColorType::Cmyk, None);
    let at = marked.windows(5).position(|part| part == b"Adobe").unwrap() - 4;
    let plain = [&marked[..at], &marked[at + 16..]].concat();
    let picture = read(&plain);
    let [r, g, b, _] = picture.pixels()[..4] else {
        unreachable!()
    };
    assert!(r < 4 && g > 251 && b > 251, "{:?}", &picture.pixels()[..4]);
}

#[test]
fn inks_follow_their_profile() {
    let profile = ink_profile();
    let shown = |inks: [u8; 4]| {
        let picture = read(&jpeg(&inks, ColorType::Cmyk, Some(&profile)));
        assert!(
            matches!(picture.notes(), [Note::Converted { .. }]),
            "{:?}",
            picture.notes()
        );
        [0, 1, 2].map(|channel| picture.pixels()[channel])
    };
    let near = |found: [u8; 3], expected: [u8; 3]| {
        found
            .iter()
            .zip(expected)
            .all(|(found, expected)| found.abs_diff(expected) <= 8)
    };
    assert!(near(shown([0; 4]), [255; 3]), "{:?}", shown([0; 4]));
    assert!(
        near(shown([0, 0, 0, 255]), [25; 3]),
        "{:?}",
        shown([0, 0, 0, 255])
    );
    // Lab(55, -37, -50) by CIE's formulas; without its profile, cyan would be (0, 255, 255).
    assert!(
        near(shown([255, 0, 0, 0]), [0, 149, 219]),
        "{:?}",
        shown([255, 0, 0, 0])
    );
}

#[test]
fn a_profile_for_other_pixels_is_left_out_with_a_note() {
    let rgb = ColorProfile::new_display_p3().encode().unwrap();
    let grey = ColorProfile::new_gray_with_gamma(1.8).encode().unwrap();
    let cases = [
        (
            jpeg(&[90, 90, 200], ColorType::Rgb, Some(&grey)),
            "for grey but its pixels are RGB",
        ),
        (
            jpeg(&[90, 90, 200], ColorType::Rgb, Some(&ink_profile())),
            "for CMYK but its pixels are RGB",
        ),
        (
            jpeg(&[90; 4], ColorType::Cmyk, Some(&rgb)),
            "for RGB but its pixels are CMYK",
        ),
        (
            jpeg(&[90], ColorType::Luma, Some(&ink_profile())),
            "for CMYK but its pixels are grey",
        ),
    ];
    for (bytes, part) in cases {
        let text = notes(&read(&bytes)).concat();
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn exif_that_names_adobe_rgb_counts_as_its_profile() {
    let colour = [180, 90, 60];
    let plain = jpeg(&colour, ColorType::Rgb, None);
    // Big-endian: the first directory leads to EXIF's, that one to the one of interoperability.
    let exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\
        \0\x01\x87\x69\0\x04\0\0\0\x01\0\0\0\x1a\0\0\0\0\
        \0\x01\xa0\x05\0\x04\0\0\0\x01\0\0\0\x2c\0\0\0\0\
        \0\x01\0\x01\0\x02\0\0\0\x04R03\0\0\0\0\0";
    let length = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
    let picture = read(&[&plain[..2], &[0xFF, 0xE1], &length, exif, &plain[2..]].concat());
    let expected = expected(colour, FROM_ADOBE, adobe_curve);
    for (found, expected) in picture.pixels().iter().zip(expected) {
        assert!(found.abs_diff(expected) <= 2, "{:?}", &picture.pixels()[..4]);
    }
    assert!(matches!(picture.notes(), [Note::Converted { .. }]));
}

#[test]
fn a_profile_that_makes_no_sense_is_left_out_with_a_note() {
    let mut dark = ColorProfile::new_srgb();
    dark.red_colorant = moxcms::Xyzd::default();
    dark.green_colorant = moxcms::Xyzd::default();
    dark.blue_colorant = moxcms::Xyzd::default();
    let whole = ColorProfile::new_display_p3().encode().unwrap();
    let profiles = [
        b"no profile".to_vec(),
        whole[..200].to_vec(),
        vec![0; 3_000_000],
        dark.encode().unwrap(),
    ];
    let colour = RgbImage::from_pixel(8, 8, Rgb([200, 100, 50]));
    for profile in profiles {
        let mut files = with_profile(&colour.clone().into(), &profile);
        files.push(("jpeg", jpeg(&[200, 100, 50], ColorType::Rgb, Some(&profile))));
        for (format, bytes) in files {
            let picture = read(&bytes);
            let length = profile.len();
            assert_eq!(
                picture.notes(),
                [Note::ProfileUnreadable],
                "{length} bytes in {format}"
            );
            assert!(
                picture.pixels()[0].abs_diff(200) < 3,
                "{length} bytes in {format}"
            );
        }
    }
    // A part of it is missing, or it cannot be unpacked.
    let jpeg = jpeg(&[1, 2, 3], ColorType::Rgb, Some(&vec![7; 100_000]));
    let at = jpeg.windows(4).rposition(|part| part == b"ICC_").unwrap();
    let mut broken = jpeg.clone();
    broken[at + 12] = 9;
    assert_eq!(read(&broken).notes(), [Note::ProfileUnreadable]);
    let png = with_chunk(&encoded(bars(), ImageFormat::Png), *b"iCCP", b"name\0\0not zlib");
    assert_eq!(read(&png).notes(), [Note::ProfileUnreadable]);
}
