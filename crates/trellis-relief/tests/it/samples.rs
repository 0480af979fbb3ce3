//! Pictures of one's own: every picture in the folder `TRELLIS_SAMPLES`, when that is set.

use std::fmt::Write as _;
use std::path::Path;

use trellis_picture::Picture;

use crate::kit::{made_from, overlap, raster, silhouette};

#[test]
fn pictures_of_ones_own_keep_their_outline() {
    let Some(folder) = std::env::var_os("TRELLIS_SAMPLES") else {
        println!("skipped: TRELLIS_SAMPLES is not set");
        return;
    };
    let (mut seen, mut low) = (0, 0);
    for entry in std::fs::read_dir(Path::new(&folder)).unwrap() {
        let path = entry.unwrap().path();
        let Some("png" | "jpg" | "jpeg" | "webp") = path.extension().and_then(|ending| ending.to_str())
        else {
            continue;
        };
        let (picture, made) = made_from(&std::fs::read(&path).unwrap(), true);
        let model = made.unwrap();
        let topology = model.solid.topology().unwrap();
        let mut said = format!(
            "{}: {topology:?}, {} triangles",
            path.display(),
            model.solid.triangles.len()
        );
        if picture.has_alpha() {
            let size = raster(&picture);
            let overlap = overlap(&silhouette(&model, &picture, size), &mask(&picture, size));
            write!(said, ", overlap {overlap:.4}").unwrap();
            low += usize::from(overlap < 0.985);
        }
        println!("{said}");
        seen += 1;
    }
    assert!(seen > 0, "no picture in TRELLIS_SAMPLES");
    assert_eq!(low, 0, "pictures whose outline is not kept");
}

/// Where the object covers half of a pixel or more: by the mean over the pixel's area, as the engine's own grid
/// has it. In the thumbnail of the `image` crate each pixel of the picture counts for exactly one of the smaller
/// one's, which moves the outline; of a figure with thin limbs that alone is more than 1 %.
fn mask(picture: &Picture, size: (usize, usize)) -> Vec<bool> {
    let width = picture.width() as usize;
    let alpha = |x: usize, y: usize| f64::from(picture.pixels()[4 * (y * width + x) + 3]);
    let full = (0..width * picture.height() as usize)
        .map(|pixel| alpha(pixel % width, pixel / width))
        .fold(0.0, f64::max);
    let across = shares(width, size.0);
    let down = shares(picture.height() as usize, size.1);
    let rows: Vec<Vec<f64>> = (0..picture.height() as usize)
        .map(|y| {
            across
                .iter()
                .map(|shares| mean(shares, |x| alpha(x, y)))
                .collect()
        })
        .collect();
    down.iter()
        .flat_map(|shares| (0..size.0).map(|x| mean(shares, |y| rows[y][x]) >= full / 2.0))
        .collect()
}

/// For each of `count` equal parts of a line of pixels, the pixels in it and how much of the part each is.
fn shares(pixels: usize, count: usize) -> Vec<Vec<(usize, f64)>> {
    let length = pixels as f64 / count as f64;
    (0..count)
        .map(|part| {
            let (low, high) = (part as f64 * length, (part + 1) as f64 * length);
            (low as usize..(high.ceil() as usize).min(pixels))
                .map(|pixel| {
                    let within = high.min(pixel as f64 + 1.0) - low.max(pixel as f64);
                    (pixel, within / length)
                })
                .collect()
        })
        .collect()
}

fn mean(shares: &[(usize, f64)], value: impl Fn(usize) -> f64) -> f64 {
    shares.iter().map(|(at, share)| share * value(*at)).sum()
}
