//! Every format that is read, in its forms.

use image::{DynamicImage, ImageFormat};
use trellis_core::PictureFormat;
use trellis_picture::{PictureError, decode, probe};

use crate::kit::{MAX_PIXELS, bars, encoded, read, tiff};

#[test]
fn each_format_is_read_as_it_was_written() {
    let image = bars();
    let expected = DynamicImage::from(image.clone()).into_rgba8().into_raw();
    let formats = [
        (ImageFormat::Png, PictureFormat::Png, 0),
        (ImageFormat::WebP, PictureFormat::Webp, 0),
        (ImageFormat::Bmp, PictureFormat::Bmp, 0),
        (ImageFormat::Tiff, PictureFormat::Tiff, 0),
        (ImageFormat::Jpeg, PictureFormat::Jpeg, 60),
        // 256 colours.
        (ImageFormat::Gif, PictureFormat::Gif, 60),
    ];
    assert_eq!(
        formats.map(|(_, format, _)| format).len(),
        PictureFormat::ALL.len()
    );
    for (written, format, allowed) in formats {
        let bytes = match written {
            ImageFormat::Gif => encoded(DynamicImage::from(image.clone()).into_rgba8(), written),
            _ => encoded(image.clone(), written),
        };
        let header = probe(&bytes, MAX_PIXELS).unwrap();
        assert_eq!((header.format, header.width, header.height), (format, 64, 48));
        let picture = read(&bytes);
        let off = picture
            .pixels()
            .iter()
            .zip(&expected)
            .map(|(a, b)| a.abs_diff(*b))
            .max()
            .unwrap();
        assert!(off <= allowed, "{}: off by {off}", format.title());
        assert!(
            picture.notes().is_empty() && !picture.has_alpha(),
            "{}",
            format.title()
        );
    }
}

#[test]
fn a_png_of_a_picture_is_the_same_picture() {
    let opaque = read(&encoded(bars(), ImageFormat::Bmp));
    let mut with_alpha = DynamicImage::from(bars()).into_rgba8();
    with_alpha.get_pixel_mut(1, 2).0[3] = 100;
    let with_alpha = read(&encoded(with_alpha, ImageFormat::Png));
    for (picture, channels) in [(opaque, 3), (with_alpha, 4)] {
        let png = picture.to_png();
        let stored = image::load_from_memory(&png).unwrap().color().channel_count();
        assert_eq!((read(&png), stored), (picture, channels));
    }
}

#[test]
fn limits_hold_before_anything_is_decoded() {
    for format in [
        ImageFormat::Png,
        ImageFormat::Bmp,
        ImageFormat::Tiff,
        ImageFormat::Jpeg,
        ImageFormat::WebP,
    ] {
        let bytes = encoded(bars(), format);
        let refused = decode(&bytes, 64 * 48 - 1);
        assert!(
            matches!(refused, Err(PictureError::TooLarge { width: 64, .. })),
            "{format:?}"
        );
    }
    // A header that promises far more than the file holds is refused by the limit, not by the allocator.
    let mut bmp = encoded(bars(), ImageFormat::Bmp);
    bmp[18..22].copy_from_slice(&1_000_000_u32.to_le_bytes());
    bmp[22..26].copy_from_slice(&1_000_000_u32.to_le_bytes());
    assert!(decode(&bmp, MAX_PIXELS).is_err());
    let wide = tiff(&[&[(256, 4, 4_000_000), (257, 4, 4_000_000)]]);
    assert!(decode(&wide, MAX_PIXELS).is_err());
    // Small, but in tiles of four thousand million bytes.
    let tiles = tiff(&[&[(322, 4, 65_520), (323, 4, 65_520), (324, 4, 8), (325, 4, 4)]]);
    assert!(decode(&tiles, MAX_PIXELS).is_err());
}

/// The screen is small, a frame on it is not.
#[test]
fn a_gif_with_an_enormous_frame_is_refused() {
    let mut gif = b"GIF89a\x04\0\x04\0\x80\0\0\0\0\0\xff\xff\xff".to_vec();
    gif.extend(b"\x2c\0\0\0\0\xff\xff\xff\xff\0\x02\x02\x44\x01\0\x3b");
    let refused = decode(&gif, MAX_PIXELS);
    assert!(
        matches!(refused, Err(PictureError::Damaged { .. })),
        "{refused:?}"
    );
}

#[test]
fn a_form_that_is_not_read_is_told_apart_from_damage() {
    // Colours by a palette.
    let refused = decode(&tiff(&[&[(262, 3, 3)]]), MAX_PIXELS).unwrap_err();
    assert!(
        matches!(
            refused,
            PictureError::UnreadForm {
                format: PictureFormat::Tiff,
                ..
            }
        ),
        "{refused:?}"
    );
    assert_eq!(refused.to_string(), "this form of TIFF is not supported");
}
