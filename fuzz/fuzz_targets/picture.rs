//! Any bytes as a picture: what is recognised as foreign is never decoded, and what is decoded is the same
//! picture after it was written as a PNG.

#![no_main]

use libfuzzer_sys::fuzz_target;
use trellis_picture::{FileKind, PictureError, decode, probe, recognise};

const MAX_PIXELS: u64 = 1 << 20;

fuzz_target!(|bytes: &[u8]| {
    let kind = recognise(bytes);
    let picture = match decode(bytes, MAX_PIXELS) {
        Ok(picture) => picture,
        Err(error) => {
            let foreign = matches!(kind, FileKind::Foreign(_));
            assert_eq!(foreign, matches!(error, PictureError::NotRead { .. }));
            return;
        }
    };
    let header = probe(bytes, MAX_PIXELS).expect("what is decoded has a header");
    assert_eq!(FileKind::Picture(header.format), kind);
    let sides = (u64::from(picture.width()), u64::from(picture.height()));
    assert_eq!(sides.0 * sides.1, u64::from(header.width) * u64::from(header.height));
    let again = decode(&picture.to_png(), MAX_PIXELS).expect("a PNG of our own");
    // Alpha without a mask is left out.
    let seen = if picture.has_alpha() { 4 } else { 3 };
    let pixels = again.pixels().chunks_exact(4).zip(picture.pixels().chunks_exact(4));
    assert!(pixels.into_iter().all(|(again, first)| again[..seen] == first[..seen]));
    assert!(again.notes().is_empty());
});
