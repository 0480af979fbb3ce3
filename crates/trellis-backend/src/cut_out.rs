//! A picture with the background removed, as the embedded preview would see it: shown before anything is made of it.

use tokio_util::sync::CancellationToken;
use trellis_core::{Failure, FailureKind, GenerateError};
use trellis_picture::decode;
use trellis_relief::{MaskSource, alpha};

use crate::relief::{ended, unreadable};

/// A picture and what of it is the object.
#[derive(Debug)]
pub struct CutOut {
    /// An RGBA PNG, upright and of the picture's own size; the alpha is the object's share of each pixel.
    pub png: Vec<u8>,
    /// Whether the mask was computed; else it is the picture's own.
    pub computed: bool,
}

/// Cuts the object out of a picture of at most `max_pixels`. Keeps a core busy and takes [`cut_out_bytes`]; once `stop` is
/// set it ends soon.
pub fn cut_out(picture: &[u8], max_pixels: u64, stop: &CancellationToken) -> Result<CutOut, GenerateError> {
    let going_on = || {
        if stop.is_cancelled() {
            Err(GenerateError::Cancelled)
        } else {
            Ok(())
        }
    };
    going_on()?;
    let picture = decode(picture, max_pixels).map_err(|error| unreadable(&error))?;
    going_on()?;
    let (alpha, source) = alpha(&picture).map_err(|error| ended(&error))?;
    going_on()?;
    let picture = picture.with_alpha(&alpha).ok_or_else(|| {
        Failure::new(
            FailureKind::Internal,
            "the mask has another size than its picture",
        )
    })?;
    Ok(CutOut {
        png: picture.to_small_png(),
        computed: source == MaskSource::Removed,
    })
}

/// How much memory that takes for a picture of so many pixels: decoding has a frame beside the picture, and the PNG is as
/// large as the picture at worst.
pub fn cut_out_bytes(pixels: u64) -> u64 {
    pixels.saturating_mul(12)
}

#[cfg(test)]
mod tests {
    use trellis_picture::Picture;

    use super::*;

    /// A dark square on light ground, 12 of 32 pixels a side, and what the alpha of a pixel is.
    fn picture(alpha: impl Fn(bool) -> u8) -> Vec<u8> {
        let inside = |at: usize| (10..22).contains(&at);
        let pixels = (0..32 * 32).flat_map(|index| {
            let object = inside(index % 32) && inside(index / 32);
            let grey = if object { 40 } else { 240 };
            [grey, grey, grey, alpha(object)]
        });
        Picture::from_rgba8(32, 32, pixels.collect())
            .unwrap()
            .to_small_png()
    }

    fn pixels(png: &[u8]) -> Vec<u8> {
        decode(png, 10_000).unwrap().pixels().to_vec()
    }

    #[test]
    fn a_plain_ground_is_removed_and_keeps_its_colour() {
        let found = cut_out(&picture(|_| 255), 10_000, &CancellationToken::new()).unwrap();
        assert!(found.computed);
        let pixels = pixels(&found.png);
        let at = |x: usize, y: usize| &pixels[4 * (y * 32 + x)..][..4];
        assert_eq!(
            (at(16, 16), at(2, 30)),
            (&[40, 40, 40, 255][..], &[240, 240, 240, 0][..])
        );
    }

    #[test]
    fn a_mask_that_was_sent_is_taken_as_it_is() {
        let found = cut_out(
            &picture(|object| if object { 200 } else { 0 }),
            10_000,
            &CancellationToken::new(),
        )
        .unwrap();
        assert!(!found.computed);
        let pixels = pixels(&found.png);
        let at = |x: usize, y: usize| pixels[4 * (y * 32 + x) + 3];
        assert_eq!((at(16, 16), at(2, 30)), (255, 0), "relative to its strongest");
    }

    #[test]
    fn what_has_no_object_or_is_no_longer_wanted_ends_with_a_reason() {
        let kind = |result: Result<CutOut, GenerateError>| match result.unwrap_err() {
            GenerateError::Failed(failure) => failure.kind.name(),
            GenerateError::Cancelled => "cancelled",
        };
        let go_on = CancellationToken::new();
        assert_eq!(kind(cut_out(b"glTF", 10_000, &go_on)), "bad_input");
        let blank = Picture::from_rgba8(8, 8, [200; 256].to_vec())
            .unwrap()
            .to_small_png();
        assert_eq!(kind(cut_out(&blank, 10_000, &go_on)), "no_object");
        assert_eq!(kind(cut_out(&picture(|_| 255), 100, &go_on)), "bad_input");
        let stop = CancellationToken::new();
        stop.cancel();
        assert_eq!(kind(cut_out(&picture(|_| 255), 10_000, &stop)), "cancelled");
    }
}
