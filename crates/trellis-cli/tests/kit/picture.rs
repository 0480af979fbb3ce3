//! Pictures drawn for tests: a disc or a box on a plain ground.

use std::io::Cursor;

use image::{ImageFormat, Rgb, RgbImage};

/// A PNG of `side` × `side` pixels; another `tint`, another picture.
pub(crate) fn png(side: u32, tint: u8) -> Vec<u8> {
    let middle = f64::from(side) / 2.0;
    let image = RgbImage::from_fn(side, side, |x, y| {
        let away = (f64::from(x) - middle).hypot(f64::from(y) - middle);
        if away < middle * 0.7 {
            Rgb([200, tint, 40])
        } else {
            Rgb([245, 245, 245])
        }
    });
    let mut bytes = Cursor::new(Vec::new());
    image
        .write_to(&mut bytes, ImageFormat::Png)
        .expect("memory takes everything");
    bytes.into_inner()
}
