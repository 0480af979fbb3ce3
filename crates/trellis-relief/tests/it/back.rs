//! The texture of the back and the sides: evened out, in the object's colours, without the front's face.

use image::{Rgba, RgbaImage};
use trellis_picture::decode;
use trellis_relief::{Chart, Model, Texture};

use crate::kit::{MAX_PIXELS, made, params};

const SIZE: u32 = 512;
const BODY: [f64; 3] = [200.0, 90.0, 60.0];

/// A reddish disc with two eyes and a mouth, finely striped all over, in front of nothing.
fn face() -> RgbaImage {
    RgbaImage::from_fn(SIZE, SIZE, |x, y| {
        let (across, down) = (f64::from(x) / 512.0 - 0.5, f64::from(y) / 512.0 - 0.5);
        let eye = (across.abs() - 0.12).hypot(down + 0.08) < 0.05;
        let mouth = across.abs() < 0.15 && (down - 0.15).abs() < 0.03;
        let angle = down.atan2(across);
        let stripe = if (angle * 110.0).sin() > 0.0 { 30.0 } else { -30.0 };
        let colour = if eye || mouth {
            [20; 3]
        } else {
            BODY.map(|value| (value + stripe) as u8)
        };
        let alpha = if across.hypot(down) < 0.4 { 255 } else { 0 };
        Rgba([colour[0], colour[1], colour[2], alpha])
    })
}

fn model() -> Model {
    let bytes = crate::pictures::encoded(face(), image::ImageFormat::Png);
    made(
        &decode(&bytes, MAX_PIXELS).expect("the picture is whole"),
        &params(),
    )
    .expect("there is an object")
}

/// The colour at a place of a chart, both axes from −½ to ½ of the picture.
fn seen(model: &Model, chart: &Chart, across: f64, down: f64) -> [f64; 3] {
    let window = model.window;
    let x = ((0.5 + across) * f64::from(SIZE) - window.left) / window.width;
    let y = ((0.5 + down) * f64::from(SIZE) - window.top) / window.height;
    let Texture { size, texels } = model.texture.as_ref().expect("a texture");
    let texel = |from: f32, extent: f32, place: f64| {
        ((f64::from(from) + f64::from(extent) * place) * f64::from(*size)) as usize
    };
    let column = texel(chart.left, chart.width, x);
    let row = texel(chart.top, chart.height, y);
    let at = 3 * (row * *size as usize + column);
    [0, 1, 2].map(|channel| f64::from(texels[at + channel]))
}

/// The variance over places, all channels together.
fn variance(colours: &[[f64; 3]]) -> f64 {
    let count = colours.len() as f64;
    (0..3)
        .map(|channel| {
            let mean = colours.iter().map(|colour| colour[channel]).sum::<f64>() / count;
            colours
                .iter()
                .map(|colour| (colour[channel] - mean).powi(2))
                .sum::<f64>()
                / count
        })
        .sum()
}

/// All around but at the foot, which is no side.
fn circle(model: &Model, chart: &Chart, radius: f64) -> Vec<[f64; 3]> {
    (240..660)
        .map(|step| {
            let angle = f64::from(step) * std::f64::consts::PI / 360.0;
            seen(model, chart, radius * angle.cos(), radius * angle.sin())
        })
        .collect()
}

#[test]
fn the_back_has_no_face() {
    let model = model();
    let places: Vec<(f64, f64)> = (0..60 * 60)
        .map(|index| {
            (
                f64::from(index % 60) / 120.0 - 0.25,
                f64::from(index / 60) / 120.0 - 0.25,
            )
        })
        .collect();
    let [front, back] = [&model.atlas.front, &model.atlas.back].map(|chart| {
        let colours: Vec<_> = places.iter().map(|(x, y)| seen(&model, chart, *x, *y)).collect();
        variance(&colours)
    });
    println!("variance: front {front}, back {back}");
    assert!(back < front / 50.0, "front {front}, back {back}");
    // Its eyes are no darker than what is around them.
    let eye = seen(&model, &model.atlas.back, 0.12, -0.08);
    let beside = seen(&model, &model.atlas.back, 0.0, -0.08);
    assert!((eye[0] - beside[0]).abs() < 8.0, "{eye:?} beside {beside:?}");
}

#[test]
fn the_back_has_the_objects_own_colours() {
    let model = model();
    for (x, y) in [(0.0, 0.0), (0.2, 0.2), (-0.3, 0.1), (0.0, 0.38)] {
        let colour = seen(&model, &model.atlas.back, x, y);
        for channel in 0..3 {
            assert!(
                (colour[channel] - BODY[channel]).abs() < 30.0,
                "at {x}, {y}: {colour:?}"
            );
        }
    }
}

/// The picture's stripes run into the rim. There a texel is drawn out over the whole side, so they must be gone.
#[test]
fn the_sides_have_no_streaks() {
    let model = model();
    let front = variance(&circle(&model, &model.atlas.front, 0.3));
    for chart in [&model.atlas.front, &model.atlas.back] {
        let side = variance(&circle(&model, chart, 0.394));
        println!("variance: at the rim {side}, before {front}");
        assert!(side < front / 50.0, "at the rim {side}, before {front}");
    }
}

#[test]
fn front_and_back_meet_in_one_colour() {
    let model = model();
    let [front, back] = [&model.atlas.front, &model.atlas.back].map(|chart| circle(&model, chart, 0.3985));
    for (front, back) in front.iter().zip(&back) {
        for channel in 0..3 {
            assert!(
                (front[channel] - back[channel]).abs() < 16.0,
                "{front:?} and {back:?}"
            );
        }
    }
}

#[test]
fn the_front_is_the_picture() {
    let model = model();
    let picture = face();
    for (x, y) in [(0.0, 0.0), (0.12, -0.08), (-0.1, 0.15), (0.3, 0.0), (-0.2, -0.25)] {
        let pixel = picture.get_pixel(((0.5 + x) * 512.0) as u32, ((0.5 + y) * 512.0) as u32);
        let colour = seen(&model, &model.atlas.front, x, y);
        for channel in 0..3 {
            let expected = f64::from(pixel[channel]);
            assert!(
                (colour[channel] - expected).abs() < 62.0,
                "at {x}, {y}: {colour:?}, not {pixel:?}"
            );
        }
    }
}
