//! Draws `samples/duck.png`, the picture that the README and the server's banner use: a bath duck on a light
//! backdrop, as somebody would photograph it.
//!
//! ```console
//! $ cargo run --release -p trellis-relief --example sample_picture -- samples/duck.png
//! ```
//!
//! A distance field is marched from an orthographic camera and lit by one lamp, the sky and the table. Units: the
//! picture is 2.4 wide and high; x to the right, y up, z towards the camera.

use image::{Rgb, RgbImage};

/// Pixels along one side.
const SIDE: u32 = 640;
/// Rays per pixel, along each side.
const RAYS: u32 = 3;

type Vec3 = [f64; 3];

const LAMP: Vec3 = [-0.45, 0.75, 0.55];
const YELLOW: Vec3 = [0.93, 0.61, 0.035];
const ORANGE: Vec3 = [0.86, 0.19, 0.02];
const BLACK: Vec3 = [0.012, 0.011, 0.012];

fn main() {
    let path = std::env::args().nth(1).unwrap_or_else(|| "duck.png".to_owned());
    let picture = RgbImage::from_fn(SIDE, SIDE, |x, y| {
        let mut sum = [0.0; 3];
        for ray in 0..RAYS * RAYS {
            let at = |pixel: u32, part: u32| {
                let along = f64::from(pixel) + (f64::from(part) + 0.5) / f64::from(RAYS);
                (along / f64::from(SIDE) - 0.5) * 2.4
            };
            sum = add(sum, ray_colour(at(x, ray % RAYS), -at(y, ray / RAYS)));
        }
        let mean = scale(sum, 1.0 / f64::from(RAYS * RAYS));
        Rgb(mean.map(to_srgb))
    });
    picture.save(&path).expect("the picture can be written");
}

/// Linear light along the ray through that point of the picture.
fn ray_colour(x: f64, y: f64) -> Vec3 {
    let mut from = turn([x, y + 0.08, 3.0]);
    let along = turn([0.0, 0.0, -1.0]);
    let mut far = 0.0;
    while far < 6.0 {
        let (distance, colour) = duck(from);
        if distance < 4e-4 {
            return lit(from, along, colour);
        }
        from = add(from, scale(along, distance * 0.8));
        far += distance * 0.8;
    }
    // Paper, a little darker towards the corners.
    let shade = 0.84 - 0.035 * (x * x + y * y);
    [shade, shade * 1.005, shade * 1.015]
}

/// From the camera's view to the duck's: it looks to the right and a bit towards us, seen slightly from above.
fn turn([x, y, z]: Vec3) -> Vec3 {
    let (sin, cos) = 0.17_f64.sin_cos();
    let (y, z) = (y * cos + z * sin, z * cos - y * sin);
    let (sin, cos) = (-0.45_f64).sin_cos();
    [x * cos - z * sin, y, z * cos + x * sin]
}

/// The distance to the duck and the colour of its nearest part.
fn duck(at: Vec3) -> (f64, Vec3) {
    // Left and right are the same, but for nothing.
    let half = [at[0], at[1], at[2].abs()];
    let trunk = ellipsoid(at, [-0.08, -0.42, 0.0], [0.74, 0.47, 0.55]);
    let tail = ellipsoid(
        tilted(at, [-0.72, -0.18, 0.0], 0.75),
        [0.0; 3],
        [0.30, 0.13, 0.22],
    );
    let chest = ellipsoid(at, [0.30, -0.28, 0.0], [0.40, 0.42, 0.42]);
    let head = ellipsoid(at, [0.34, 0.42, 0.0], [0.42, 0.40, 0.40]);
    let wing = ellipsoid(
        tilted(half, [-0.18, -0.34, 0.50], 0.28),
        [0.0; 3],
        [0.37, 0.21, 0.12],
    );
    let body = blend(blend(trunk, tail, 0.16), chest, 0.2);
    let body = blend(blend(body, wing, 0.05), head, 0.10);
    // A flat foot to stand on.
    let body = body.max(-0.80 - at[1]);

    let upper = ellipsoid(tilted(at, [0.79, 0.38, 0.0], 0.16), [0.0; 3], [0.25, 0.065, 0.21]);
    let lower = ellipsoid(
        tilted(at, [0.74, 0.29, 0.0], -0.12),
        [0.0; 3],
        [0.19, 0.055, 0.16],
    );
    let bill = blend(upper, lower, 0.03);
    let eye = ellipsoid(half, [0.575, 0.545, 0.265], [0.062, 0.078, 0.062]);

    let mut nearest = (body, YELLOW);
    for (distance, colour) in [(bill, ORANGE), (eye, BLACK)] {
        if distance < nearest.0 {
            nearest = (distance, colour);
        }
    }
    nearest
}

fn lit(at: Vec3, along: Vec3, colour: Vec3) -> Vec3 {
    let normal = normal(at);
    let lamp = unit(turn(LAMP));
    let diffuse = dot(normal, lamp).max(0.0) * shadow(at, lamp);
    let open = openness(at, normal);
    let sky = 0.5 + 0.5 * normal[1];
    let half = unit(add(lamp, scale(along, -1.0)));
    let shine = dot(normal, half).max(0.0).powi(60) * 0.55 + dot(normal, half).max(0.0).powi(14) * 0.06;
    let rim = (1.0 + dot(normal, along)).clamp(0.0, 1.0).powi(4) * 0.10 * sky;
    let mut light = [0.0; 3];
    for (channel, part) in light.iter_mut().enumerate() {
        let lamp = [1.0, 0.96, 0.88][channel] * diffuse * 0.95;
        let above = [0.80, 0.88, 1.0][channel] * sky * 0.42;
        let below = [1.0, 0.95, 0.85][channel] * (1.0 - sky) * 0.30;
        *part = colour[channel] * (lamp + (above + below) * open) + shine * diffuse.sqrt() + rim * open;
    }
    light
}

/// How much of the lamp reaches a point, softly.
fn shadow(at: Vec3, lamp: Vec3) -> f64 {
    let (mut far, mut seen) = (0.03, 1.0_f64);
    while far < 2.0 {
        let (distance, _) = duck(add(at, scale(lamp, far)));
        seen = seen.min(10.0 * distance / far);
        if seen < 0.0 {
            return 0.0;
        }
        far += distance.max(0.02);
    }
    seen.clamp(0.0, 1.0)
}

/// How much of the surroundings a point sees.
fn openness(at: Vec3, normal: Vec3) -> f64 {
    let mut hidden = 0.0;
    for step in 1..=5 {
        let away = 0.05 * f64::from(step);
        let (distance, _) = duck(add(at, scale(normal, away)));
        hidden += (away - distance) / f64::from(1 << step);
    }
    (1.0 - 3.2 * hidden).clamp(0.2, 1.0)
}

fn normal(at: Vec3) -> Vec3 {
    const STEP: f64 = 1e-3;
    let mut normal = [0.0; 3];
    for axis in 0..3 {
        let (mut ahead, mut behind) = (at, at);
        ahead[axis] += STEP;
        behind[axis] -= STEP;
        normal[axis] = duck(ahead).0 - duck(behind).0;
    }
    unit(normal)
}

/// Close to the distance to an ellipsoid, exact on its surface.
fn ellipsoid(at: Vec3, middle: Vec3, radii: Vec3) -> f64 {
    let from = add(at, scale(middle, -1.0));
    let near = length([from[0] / radii[0], from[1] / radii[1], from[2] / radii[2]]);
    let slope = length([
        from[0] / radii[0].powi(2),
        from[1] / radii[1].powi(2),
        from[2] / radii[2].powi(2),
    ]);
    if slope < 1e-9 {
        return -radii[0].min(radii[1]).min(radii[2]);
    }
    near * (near - 1.0) / slope
}

/// A point as seen from `middle`, in a frame that is tilted up by `angle` towards the tail.
fn tilted(at: Vec3, middle: Vec3, angle: f64) -> Vec3 {
    let [x, y, z] = add(at, scale(middle, -1.0));
    let (sin, cos) = angle.sin_cos();
    [x * cos - y * sin, y * cos + x * sin, z]
}

/// The nearer of two distances, with a fillet of that width between the two shapes.
fn blend(a: f64, b: f64, width: f64) -> f64 {
    let overlap = (width - (a - b).abs()).max(0.0) / width;
    a.min(b) - overlap * overlap * width * 0.25
}

/// Linear light as an sRGB byte, bright parts compressed.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is between 0 and 255"
)]
fn to_srgb(light: f64) -> u8 {
    let light = if light > 0.8 {
        0.8 + 0.2 * (1.0 - (-(light - 0.8) / 0.2).exp())
    } else {
        light
    };
    let value = if light <= 0.003_130_8 {
        12.92 * light
    } else {
        1.055 * light.powf(1.0 / 2.4) - 0.055
    };
    (value.clamp(0.0, 1.0) * 255.0).round() as u8
}

fn add(a: Vec3, b: Vec3) -> Vec3 {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

fn scale(a: Vec3, by: f64) -> Vec3 {
    a.map(|value| value * by)
}

fn dot(a: Vec3, b: Vec3) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn length(a: Vec3) -> f64 {
    dot(a, a).sqrt()
}

fn unit(a: Vec3) -> Vec3 {
    scale(a, 1.0 / length(a))
}
