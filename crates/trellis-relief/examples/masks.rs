//! Draws the mask of each picture over it: what is not the object is violet, and the notes are printed.
//!
//! `cargo run -p trellis-relief --example masks -- FOLDER PICTURE...`
#![expect(clippy::print_stdout, reason = "it is there to print")]

use std::path::{Path, PathBuf};

use image::{Rgba, RgbaImage, imageops};
use trellis_core::ParamsPatch;
use trellis_picture::{Picture, decode};
use trellis_relief::{Mask, mask};

fn main() {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let folder = arguments.next().expect("a folder is named");
    for path in arguments {
        let name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let bytes = std::fs::read(&path).expect("the picture is readable");
        let picture = match decode(&bytes, 64_000_000) {
            Ok(picture) => picture,
            Err(error) => {
                println!("{name}: {error}");
                continue;
            }
        };
        show(&name, &picture, &folder);
    }
}

fn show(name: &str, picture: &Picture, folder: &Path) {
    let params = ParamsPatch::default()
        .resolve(1)
        .expect("the defaults are allowed");
    match mask(picture, &params) {
        Ok(mask) => {
            println!("{name}: {:?}", mask.notes);
            let out = folder.join(format!("{name}.mask.png"));
            overlay(picture, &mask).save(out).expect("the folder is writable");
        }
        Err(error) => println!("{name}: {error}"),
    }
}

/// The picture on the mask's raster, what is not the object violet.
fn overlay(picture: &Picture, mask: &Mask) -> RgbaImage {
    let whole = RgbaImage::from_raw(picture.width(), picture.height(), picture.pixels().to_vec())
        .expect("there are as many bytes as pixels");
    let mut small = imageops::thumbnail(&whole, mask.width, mask.height);
    for (pixel, share) in small.pixels_mut().zip(&mask.coverage) {
        let share = u16::from(*share);
        let mix =
            |own: u8, other: u16| ((u16::from(own) * share + (255 - share) * other) / 255).to_le_bytes()[0];
        *pixel = Rgba([mix(pixel[0], 190), mix(pixel[1], 0), mix(pixel[2], 190), 255]);
    }
    small
}
