//! Pictures of one's own: every picture in the folder `TRELLIS_SAMPLES`, when that is set.

use std::path::Path;

use crate::kit::{made_from, overlap, raster, silhouette};

#[test]
fn pictures_of_ones_own_keep_their_outline() {
    let Some(folder) = std::env::var_os("TRELLIS_SAMPLES") else {
        println!("skipped: TRELLIS_SAMPLES is not set");
        return;
    };
    let mut seen = 0;
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
            let mask: Vec<bool> = image::imageops::thumbnail(
                &image::RgbaImage::from_raw(picture.width(), picture.height(), picture.pixels().to_vec())
                    .unwrap(),
                size.0 as u32,
                size.1 as u32,
            )
            .pixels()
            .map(|pixel| pixel[3] >= 128)
            .collect();
            let overlap = overlap(&silhouette(&model, &picture, size), &mask);
            said += &format!(", overlap {overlap:.4}");
            assert!(overlap >= 0.985, "{said}");
        }
        println!("{said}");
        seen += 1;
    }
    assert!(seen > 0, "no picture in TRELLIS_SAMPLES");
}
