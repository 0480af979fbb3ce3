//! What the decoder of JPEG does not tell or do: whether the file has its end, how many scans, whether it has a
//! profile, and inks as they are stored.
//!
//! Format: ITU-T T.81, annex B; Adobe's marker by T.872; profiles by ICC.1, annex B.

use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;

use crate::flaw::Flaw;

/// Most scans of a progressive JPEG. Encoders write about ten, and every bit of every coefficient on its own would
/// be some dozens.
const MOST_SCANS: u32 = 100;

const END: u8 = 0xD9;
const START_OF_SCAN: u8 = 0xDA;
const APP1: u8 = 0xE1;
const APP2: u8 = 0xE2;
const APP14: u8 = 0xEE;

/// Markers before the first scan, each with what follows its length; at last the scan's, with all the rest.
fn segments(bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut at = 2;
    let mut over = false;
    std::iter::from_fn(move || {
        while !over && let Some(&[0xFF, marker, high, low]) = bytes.get(at..at + 4) {
            // Fill bytes before a marker.
            if marker == 0xFF {
                at += 1;
                continue;
            }
            let end = at + 2 + usize::from(u16::from_be_bytes([high, low]));
            over = marker == START_OF_SCAN;
            let body = if over {
                bytes.get(at + 4..)
            } else {
                bytes.get(at + 4..end)
            };
            at = end;
            return body.map(|body| (marker, body));
        }
        None
    })
}

/// Whether a JPEG's picture comes to its end: after the header of its first scan there is an end marker. Those
/// of thumbnails lie before it, and in coded data each 255 is followed by a 0. The decoder would paint what is
/// missing grey.
///
/// Each scan goes over all pixels, however few bytes it has.
pub(crate) fn check(bytes: &[u8]) -> Result<(), Flaw> {
    let scans = segments(bytes).find(|(marker, _)| *marker == START_OF_SCAN);
    let (_, scans) = scans.ok_or(Flaw::CutShort)?;
    let mut count = 1;
    for pair in scans.windows(2) {
        match pair {
            [0xFF, END] => return Ok(()),
            [0xFF, START_OF_SCAN] => count += 1,
            _ => {}
        }
        if count > MOST_SCANS {
            return Err(Flaw::OutOfProportion("more than 100 scans"));
        }
    }
    Err(Flaw::CutShort)
}

/// Whether there is a colour profile, whole or not.
pub(crate) fn has_profile(bytes: &[u8]) -> bool {
    segments(bytes).any(|(marker, body)| marker == APP2 && body.starts_with(b"ICC_PROFILE\0"))
}

/// The EXIF data, which is a TIFF.
pub(crate) fn exif(bytes: &[u8]) -> Option<&[u8]> {
    segments(bytes)
        .filter(|(marker, _)| *marker == APP1)
        .find_map(|(_, body)| body.strip_prefix(b"Exif\0\0"))
}

/// Whether its pixels are inks: four components.
pub(crate) fn is_ink(bytes: &[u8]) -> bool {
    segments(bytes).any(|(marker, body)| {
        matches!(marker, 0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF) && body.get(5) == Some(&4)
    })
}

/// Inks, four bytes a pixel, 255 is full ink; rows from the top as stored.
///
/// Programs that write Adobe's marker store them inverted, as Adobe's own do; others as T.81 has it.
pub(crate) fn inks(bytes: &[u8]) -> Result<Vec<u8>, DecodeErrors> {
    let options = DecoderOptions::default()
        .set_strict_mode(false)
        .set_max_width(usize::MAX)
        .set_max_height(usize::MAX);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers()?;
    let stored = decoder.input_colorspace().unwrap_or(ColorSpace::CMYK);
    decoder.set_options(options.jpeg_set_out_colorspace(stored));
    let mut inks = decoder.decode()?;
    if stored == ColorSpace::YCCK {
        inks.chunks_exact_mut(4).for_each(ycck_to_cmyk);
    }
    if segments(bytes).any(|(marker, body)| marker == APP14 && body.starts_with(b"Adobe")) {
        for ink in &mut inks {
            *ink = 255 - *ink;
        }
    }
    Ok(inks)
}

/// JFIF's conversion, whose red, green and blue are the complements of the stored inks; black stays.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to a byte"
)]
fn ycck_to_cmyk(pixel: &mut [u8]) {
    let [y, cb, cr] = [pixel[0], pixel[1], pixel[2]].map(f32::from);
    let (cb, cr) = (cb - 128.0, cr - 128.0);
    let complements = [
        1.402_f32.mul_add(cr, y),
        0.344_136_f32.mul_add(-cb, 0.714_136_f32.mul_add(-cr, y)),
        1.772_f32.mul_add(cb, y),
    ];
    for (ink, complement) in pixel.iter_mut().zip(complements) {
        *ink = 255 - complement.round().clamp(0.0, 255.0) as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_conversion_of_ycck_is_the_one_of_jfif() {
        let mut pixel = [76, 85, 255, 9];
        ycck_to_cmyk(&mut pixel);
        // Red's complement is cyan without ink.
        assert_eq!(pixel, [1, 255, 255, 9]);
    }
}
