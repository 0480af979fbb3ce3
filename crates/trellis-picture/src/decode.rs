//! Decodes a picture to upright 8-bit RGB or RGBA in sRGB.
//!
//! Every colour type that the formats have comes out as these channels: 16 bits are rounded to 8,
//! grey and palettes are spread out, inks become light. What a picture says of its colours is followed
//! (`colour.rs`).
//! Not here: what counts as the object in the picture.

use image::{DynamicImage, ExtendedColorType, ImageDecoder, RgbaImage};
use trellis_core::PictureFormat;

use crate::colour::{Pixels, Srgb, Stated, to_srgb};
use crate::probe::{SPARE_BYTES, limited, reader};
use crate::tiff::Tiff;
use crate::{Header, Note, Picture, PictureError, Upright, gif, jpeg, png, probe, webp};

/// Decodes an encoded picture, turned as its EXIF orientation says; of an animation the first frame, of several
/// pages the first.
///
/// `max_pixels` limits `width × height`; the decoder's memory follows the picture's own pixels and channels.
pub fn decode(bytes: &[u8], max_pixels: u64) -> Result<Picture, PictureError> {
    upright(bytes, max_pixels)?.into_picture().ok_or_else(other_size)
}

/// As [`decode`], in three channels where there is no fourth: for who only writes it down again.
pub fn upright(bytes: &[u8], max_pixels: u64) -> Result<Upright, PictureError> {
    let header = probe(bytes, max_pixels)?;
    let refused = |error| PictureError::from_decoder(header.format, error);
    let mut decoder = reader(bytes, header.format).into_decoder().map_err(refused)?;
    // Twice: the decoders of GIF and TIFF have a frame or a tile beside the picture.
    let decoded_bytes = decoder.total_bytes().saturating_mul(2);
    decoder
        .set_limits(limited(decoded_bytes.saturating_add(SPARE_BYTES)))
        .map_err(refused)?;
    let orientation = decoder.orientation().map_err(refused)?;
    // A profile that the decoder cannot take out is told like one that makes no sense.
    let profile = decoder.icc_profile().ok().flatten();
    // The decoder of TIFF has no way to hand out inks, so that their profile fits nothing.
    let made_light = matches!(
        decoder.original_color_type(),
        ExtendedColorType::Cmyk8 | ExtendedColorType::Cmyk16
    );
    let stated = if made_light {
        Stated::Nothing
    } else {
        stated(bytes, header.format, profile)
    };
    let pixels = if header.format == PictureFormat::Jpeg && jpeg::is_ink(bytes) {
        Pixels::Inks(inks(bytes, header)?)
    } else {
        Pixels::Light(DynamicImage::from_decoder(decoder).map_err(refused)?)
    };
    let (width, height) = (header.width, header.height);
    let (srgb, mut notes) = to_srgb(pixels, &stated);
    let mut image = match srgb {
        Srgb::Decoded(image) if (image.width(), image.height()) == (width, height) => image,
        Srgb::Decoded(_) => return Err(other_size()),
        Srgb::Converted(rgba) => RgbaImage::from_raw(width, height, rgba)
            .map(DynamicImage::ImageRgba8)
            .ok_or_else(other_size)?,
    };
    image.apply_orientation(orientation);
    notes.extend(made_light.then_some(Note::InkWithoutProfile));
    notes.extend(left_out(bytes, header.format));
    Ok(Upright::new(image, notes))
}

fn other_size() -> PictureError {
    PictureError::Damaged {
        source: "another number of pixels than its header says".into(),
    }
}

fn inks(bytes: &[u8], header: Header) -> Result<Vec<u8>, PictureError> {
    use zune_jpeg::errors::DecodeErrors;
    jpeg::inks(bytes).map_err(|error| match error {
        DecodeErrors::Unsupported(_) => PictureError::UnreadForm {
            format: header.format,
            source: Box::new(error),
        },
        _ => PictureError::Damaged {
            source: Box::new(error),
        },
    })
}

/// What the file says of its colours.
fn stated(bytes: &[u8], format: PictureFormat, profile: Option<Vec<u8>>) -> Stated {
    let named = match format {
        PictureFormat::Png => {
            let chunks = png::chunks(bytes);
            // The order of precedence of PNG's third edition.
            if let Some(code_points) = chunks.cicp {
                return Stated::CodePoints(code_points);
            }
            if !chunks.profile && !chunks.srgb && (chunks.gamma, chunks.chromaticities) != (None, None) {
                return Stated::Gamma {
                    gamma: chunks.gamma,
                    chromaticities: chunks.chromaticities,
                };
            }
            chunks.profile
        }
        PictureFormat::Jpeg => jpeg::has_profile(bytes),
        PictureFormat::Webp => webp::has_profile(bytes),
        PictureFormat::Tiff => {
            return match Tiff::open(bytes).map_or(Ok(None), Tiff::profile) {
                Ok(Some(profile)) => Stated::Profile(profile.to_vec()),
                Ok(None) => Stated::Nothing,
                Err(()) => Stated::Unreadable,
            };
        }
        PictureFormat::Gif | PictureFormat::Bmp => false,
    };
    match profile {
        Some(profile) => Stated::Profile(profile),
        None if named => Stated::Unreadable,
        None if format == PictureFormat::Jpeg
            && jpeg::exif(bytes)
                .and_then(Tiff::open)
                .is_some_and(Tiff::is_adobe_rgb) =>
        {
            Stated::AdobeRgb
        }
        None => Stated::Nothing,
    }
}

/// What of the file is not in the picture.
fn left_out(bytes: &[u8], format: PictureFormat) -> Option<Note> {
    let frames = match format {
        PictureFormat::Png => png::chunks(bytes).frames,
        PictureFormat::Gif => gif::frames(bytes),
        PictureFormat::Webp => webp::frames(bytes),
        PictureFormat::Tiff => {
            let of = Tiff::open(bytes).map_or(1, Tiff::pages);
            return (of > 1).then_some(Note::FirstPage { of });
        }
        PictureFormat::Jpeg | PictureFormat::Bmp => 1,
    };
    (frames > 1).then_some(Note::FirstFrame { of: frames })
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn jpeg() -> Vec<u8> {
        let mut bytes = Vec::new();
        let pixels = (0..64 * 64_u32).flat_map(|index| (index * 77).to_le_bytes().into_iter().take(3));
        let image = image::RgbImage::from_vec(64, 64, pixels.collect()).unwrap();
        DynamicImage::from(image)
            .write_to(&mut Cursor::new(&mut bytes), image::ImageFormat::Jpeg)
            .unwrap();
        bytes
    }

    #[test]
    fn a_jpeg_that_was_cut_short_is_refused() {
        let whole = jpeg();
        assert!(decode(&whole, 10_000).is_ok());
        let followed = [whole.as_slice(), b"what a camera writes after it"].concat();
        assert!(decode(&followed, 10_000).is_ok());
        // A thumbnail before the picture has an end of its own.
        let thumbnail = [b"\xff\xd8\xff\xe1\x00\x06\xff\xd8\xff\xd9", &whole[2..]].concat();
        assert!(decode(&thumbnail, 10_000).is_ok());
        for bytes in [&whole[..whole.len() / 2], &thumbnail[..thumbnail.len() - 2]] {
            assert!(matches!(decode(bytes, 10_000), Err(PictureError::CutShort)));
        }
    }
}
