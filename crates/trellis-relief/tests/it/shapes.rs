//! Every test picture becomes a closed solid with the outline of its shape; what holds no object says so.

use std::fmt::Write as _;

use trellis_core::Params;

use crate::kit::{made, made_from, overlap, params, raster, silhouette, simplified};
use crate::pictures::{self, Case, Shape};

/// The least overlap of silhouette and mask, at 512 pixels.
const LEAST_OVERLAP: f64 = 0.985;

fn check(case: &Case) -> Result<String, String> {
    let (picture, made) = made_from(&case.bytes, case.remove_background);
    let model = made.map_err(|error| error.to_string())?;
    let topology = model.solid.topology().map_err(|defect| defect.to_string())?;
    if (topology.parts, topology.handles) != (case.parts, case.holes) {
        return Err(format!("{} parts, {} holes", topology.parts, topology.handles));
    }
    let mut said = format!("{} triangles", model.solid.triangles.len());
    if let Some(shape) = case.shape {
        let size = raster(&picture);
        let overlap = overlap(&silhouette(&model, &picture, size), &drawn(shape, size));
        write!(said, ", overlap {overlap:.4}").expect("a string takes all");
        if overlap < LEAST_OVERLAP {
            return Err(format!("{said}, {:?}", model.notes));
        }
    }
    Ok(said)
}

fn drawn(shape: Shape, (width, height): (usize, usize)) -> Vec<bool> {
    (0..width * height)
        .map(|index| {
            let (x, y) = (index % width, index / width);
            shape((x as f64 + 0.5) / width as f64, (y as f64 + 0.5) / height as f64)
        })
        .collect()
}

#[test]
fn every_picture_becomes_a_closed_solid_with_its_outline() {
    let mut wrong = Vec::new();
    for case in pictures::all() {
        match check(&case) {
            Ok(said) => println!("{}: {said}", case.name),
            Err(said) => wrong.push(format!("{}: {said}", case.name)),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn forty_eight_million_pixels_become_a_closed_solid() {
    println!("{}", check(&pictures::huge()).unwrap());
}

#[test]
fn a_picture_without_an_object_says_so() {
    let transparent = image::RgbaImage::from_pixel(40, 30, image::Rgba([200, 10, 10, 0]));
    let plain = image::RgbaImage::from_pixel(40, 30, image::Rgba([200, 10, 10, 255]));
    let noise = image::RgbaImage::from_fn(90, 80, |x, y| {
        let value = (x * 7919 + y * y * 104_729 + x * y * 31) % 251;
        image::Rgba([value as u8, (value * 3 % 256) as u8, (value * 7 % 256) as u8, 255])
    });
    let pixel = image::RgbaImage::from_pixel(1, 1, image::Rgba([9, 9, 9, 255]));
    for (picture, kind, said) in [
        (transparent, "no_object", "transparent"),
        (plain, "no_object", "stands out"),
        (noise, "no_clear_object", "too busy"),
        (pixel, "no_object", "stands out"),
    ] {
        let (_, made) = made_from(&pictures::encoded(picture, image::ImageFormat::Png), true);
        let error = made.unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[test]
fn a_line_lost_at_the_working_resolution_is_thickened_and_told() {
    let mut picture = image::RgbaImage::new(3000, 2000);
    for x in 100..2900 {
        picture.put_pixel(x, 700, image::Rgba([250, 250, 250, 255]));
    }
    let (_, made) = made_from(&pictures::encoded(picture, image::ImageFormat::Png), true);
    let model = made.unwrap();
    assert_eq!(model.solid.topology().unwrap().parts, 1);
    let thickened = model.notes.iter().any(|note| note.contains("thickened"));
    assert!(thickened, "{:?}", model.notes);
}

/// The outline alone needs more triangles than are asked for. What is between must not pay for it.
#[test]
fn a_long_outline_leaves_the_surface_as_it_is() {
    let plant = pictures::encoded(
        pictures::cut_out(pictures::plant, 512, 512),
        image::ImageFormat::Png,
    );
    let (picture, _) = made_from(&plant, true);
    let of = |mesh_simplify| {
        let params = Params {
            model: simplified(mesh_simplify),
            ..params()
        };
        made(&picture, &params).expect("there is an object").solid
    };
    let (whole, simple) = (of(0.0), of(0.95));
    let ratio = simple.topology().unwrap().volume / whole.topology().unwrap().volume;
    println!(
        "{} of {} triangles, volume {ratio:.4}",
        simple.triangles.len(),
        whole.triangles.len()
    );
    assert!((0.92..1.08).contains(&ratio), "{ratio}");
}
