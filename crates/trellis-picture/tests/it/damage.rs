//! Random, cut and altered bytes end in an error or a picture, never in a panic.

use image::ImageFormat;
use jpeg_encoder::ColorType;
use moxcms::ColorProfile;
use proptest::prelude::*;
use trellis_picture::{PictureError, decode, recognise};

use crate::kit::{
    MAX_PIXELS, animated_webp, bars, encoded, gif, ink_profile, jpeg, with_chunk, with_profile,
};

/// Whole files of every format.
fn whole() -> Vec<Vec<u8>> {
    let p3 = ColorProfile::new_display_p3().encode().unwrap();
    let png = encoded(bars(), ImageFormat::Png);
    let mut files = vec![
        with_chunk(&png, *b"cICP", &[12, 13, 0, 1]),
        png,
        encoded(bars(), ImageFormat::Bmp),
        encoded(bars(), ImageFormat::WebP),
        jpeg(&[200, 100, 9], ColorType::Rgb, Some(&p3)),
        jpeg(&[200, 100, 9, 9], ColorType::Cmyk, Some(&ink_profile())),
        gif(3),
        animated_webp(2),
        encoded(bars(), ImageFormat::Tiff),
    ];
    files.extend(
        with_profile(&bars().into(), &p3)
            .into_iter()
            .map(|(_, bytes)| bytes),
    );
    files
}

/// What is missing is never made up. A BMP may lack its last row's padding, a GIF its end mark.
#[test]
fn half_a_picture_is_damaged() {
    for bytes in whole() {
        assert!(decode(&bytes, MAX_PIXELS).is_ok());
        let result = decode(&bytes[..bytes.len() / 2], MAX_PIXELS);
        let is_animation = bytes.starts_with(b"GIF") || bytes.windows(4).any(|part| part == b"ANMF");
        assert!(
            matches!(result, Err(PictureError::Damaged { .. } | PictureError::CutShort)) || is_animation,
            "{:?}: {:?}",
            &bytes[..4],
            result.map(|picture| picture.notes().to_vec())
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_bytes_are_recognised(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        recognise(&bytes);
        let _ = decode(&bytes, MAX_PIXELS);
    }

    #[test]
    fn altered_and_cut_files_do_no_harm(
        file in 0..12_usize,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        keep in any::<prop::sample::Index>(),
        cut in any::<bool>(),
    ) {
        let files = whole();
        let mut bytes = files[file % files.len()].clone();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if cut {
            bytes.truncate(keep.index(bytes.len()));
        }
        recognise(&bytes);
        let _ = decode(&bytes, MAX_PIXELS);
    }

    #[test]
    fn altered_profiles_do_no_harm(
        ink in any::<bool>(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        keep in any::<prop::sample::Index>(),
        cut in any::<bool>(),
    ) {
        let mut profile = if ink { ink_profile() } else { ColorProfile::new_display_p3().encode().unwrap() };
        for (at, byte) in changes {
            let at = at.index(profile.len());
            profile[at] = byte;
        }
        if cut {
            profile.truncate(keep.index(profile.len()));
        }
        let (pixel, colour): (&[u8], _) = if ink { (&[9, 99, 200, 7], ColorType::Cmyk) } else { (&[9, 99, 200], ColorType::Rgb) };
        let picture = decode(&jpeg(pixel, colour, Some(&profile)), MAX_PIXELS);
        prop_assert!(picture.is_ok(), "a profile ends no job: {picture:?}");
    }
}
