//! The third dimension: how deep the solids are, how round their rims, and what they stand on.

use trellis_picture::decode;
use trellis_relief::{Model, Solid};

use crate::kit::{MAX_PIXELS, made, params, small};
use crate::pictures::{self, Shape};

fn model(shape: Shape) -> Model {
    let picture = pictures::encoded(pictures::cut_out(shape, 400, 400), image::ImageFormat::Png);
    let picture = decode(&picture, MAX_PIXELS).expect("the picture is whole");
    let params = trellis_core::Params {
        model: small(),
        ..params()
    };
    made(&picture, &params).expect("there is an object")
}

/// Width, height and depth.
fn extent(solid: &Solid) -> [f32; 3] {
    [0, 1, 2].map(|axis| {
        let values = solid.positions.iter().map(|position| position[axis]);
        let low = values.clone().fold(f32::MAX, f32::min);
        values.fold(f32::MIN, f32::max) - low
    })
}

/// Depth of the solid's part within these heights, over the width of that part.
fn depth_to_width(solid: &Solid, heights: std::ops::Range<f32>) -> f32 {
    let within = solid
        .positions
        .iter()
        .filter(|position| heights.contains(&position[1]));
    let [width, depth] = [0, 2].map(|axis| {
        let values = within.clone().map(|position| position[axis]);
        let low = values.clone().fold(f32::MAX, f32::min);
        values.fold(f32::MIN, f32::max) - low
    });
    depth / width
}

fn disc(x: f64, y: f64) -> bool {
    (x - 0.5).hypot(y - 0.5) < 0.4
}

fn capsule(x: f64, y: f64) -> bool {
    (x - 0.5).hypot((y - 0.5).abs().max(0.3) - 0.3) < 0.14
}

fn lying_capsule(x: f64, y: f64) -> bool {
    capsule(y, x)
}

fn strip(x: f64, y: f64) -> bool {
    (x - 0.5).abs() < 0.4 && (y - 0.5).abs() < 0.02
}

fn slanted_strip(x: f64, y: f64) -> bool {
    (x - y).abs() < 0.03 && (x + y - 1.0).abs() < 0.6
}

fn ring(x: f64, y: f64) -> bool {
    (0.3..0.4).contains(&(x - 0.5).hypot(y - 0.5))
}

fn square(x: f64, y: f64) -> bool {
    (x - 0.5).abs().max((y - 0.5).abs()) < 0.3
}

fn trapezoid(x: f64, y: f64) -> bool {
    (0.2..0.8).contains(&y) && (x - 0.5).abs() < 0.2 + (0.8 - y) / 6.0
}

fn egg(x: f64, y: f64) -> bool {
    ((x - 0.5) / 0.3).hypot((y - 0.45) / if y < 0.45 { 0.4 } else { 0.3 }) < 1.0
}

/// A head, a body with arms, and two legs.
fn robot(x: f64, y: f64) -> bool {
    let side = (x - 0.5).abs();
    let head = side < 0.2 && (0.1..0.42).contains(&y);
    let body = side < 0.15 && (0.4..0.72).contains(&y);
    let arms = (0.14..0.22).contains(&side) && (0.46..0.6).contains(&y);
    head || body || arms || ((0.03..0.12).contains(&side) && (0.7..0.9).contains(&y))
}

fn mushroom(x: f64, y: f64) -> bool {
    let cap = y < 0.55 && ((x - 0.5) / 0.38).hypot((y - 0.55) / 0.42) < 1.0;
    cap || ((x - 0.5).abs() < 0.1 + 0.05 * (y - 0.55) && (0.54..0.9).contains(&y))
}

/// A base, a body with openings at its sides, a roof that stands out, and a handle.
fn lantern(x: f64, y: f64) -> bool {
    let side = (x - 0.5).abs();
    let handle = y < 0.2 && (0.06..0.09).contains(&side.hypot(y - 0.14));
    let roof = (0.2..0.3).contains(&y) && side < 0.08 + 1.6 * (y - 0.2);
    let opening = (0.34..0.7).contains(&y) && (0.15..0.18).contains(&side);
    let body = (0.29..0.75).contains(&y) && side < 0.2;
    let base = (0.74..0.84).contains(&y) && side < 0.24;
    handle || roof || base || (body && !opening) || ((0.83..0.88).contains(&y) && side < 0.14)
}

#[test]
fn compact_things_are_about_as_deep_as_wide() {
    for (name, shape) in [
        ("disc", disc as Shape),
        ("square", square),
        ("capsule", capsule),
        ("robot", robot),
        ("mushroom", mushroom),
        ("lantern", lantern),
    ] {
        let [width, _, depth] = extent(&model(shape).solid);
        println!("{name}: {}", depth / width);
        assert!(
            (0.8..1.03).contains(&(depth / width)),
            "{name}: {}",
            depth / width
        );
    }
}

#[test]
fn thin_things_stay_thin() {
    // Each with its thickness over its width. What lies may be deeper than high: most things do.
    for (name, shape, thickness) in [
        ("strip", strip as Shape, 0.04 / 0.8),
        (
            "slanted strip",
            slanted_strip,
            0.06 * std::f64::consts::FRAC_1_SQRT_2 / 0.63,
        ),
        ("lying capsule", lying_capsule, 0.28 / 0.88),
        ("ring", ring, 0.1 / 0.8),
    ] {
        let [width, _, depth] = extent(&model(shape).solid);
        let times = f64::from(depth / width) / thickness;
        println!("{name}: {times} times its thickness");
        assert!((0.8..2.0).contains(&times), "{name}: {times} times its thickness");
    }
}

#[test]
fn a_thin_part_is_as_deep_as_it_is_wide_whatever_it_is_part_of() {
    let solid = model(mushroom).solid;
    let ratio = depth_to_width(&solid, -0.4..-0.2);
    assert!((0.8..1.2).contains(&ratio), "the stem: {ratio}");
    let ratio = depth_to_width(&model(lantern).solid, 0.44..0.48);
    assert!(ratio < 0.6, "the handle: {ratio}");
}

/// A knife's edge has a sharp angle between front and back; on a ball of radius 1 the two sides are 0.28 apart
/// already 0.01 away from the outline.
#[test]
fn the_rim_has_a_radius() {
    let solid = model(disc).solid;
    let mut near = 0;
    for [x, y, z] in solid.positions.iter().copied() {
        let away = 0.5 - x.hypot(y);
        if (0.004..0.012).contains(&away) {
            near += 1;
            let ball = (0.25 - (0.5 - away).powi(2)).sqrt();
            assert!(
                (z.abs() - ball).abs() < 0.02,
                "{away} from the rim: {z}, not {ball}"
            );
        }
    }
    assert!(near > 50, "{near} vertices near the rim");
    // On the rim itself front and back have one normal, in the plane of the picture.
    for (position, normal) in solid.positions.iter().zip(&solid.normals) {
        let out = position[0].hypot(position[1]);
        if position[2] == 0.0 {
            let along = (position[0] * normal[0] + position[1] * normal[1]) / out;
            assert!(
                along > 0.995 && normal[2].abs() < 0.01,
                "{position:?}: {normal:?}"
            );
        }
    }
}

/// Dark dashes at the rim were vertices that the mesh has between two of the outline: they faced the onlooker
/// amid others that face sideways.
#[test]
fn what_lies_beside_the_rim_faces_sideways() {
    for (name, shape) in [
        ("square", square as Shape),
        ("robot", robot),
        ("lantern", lantern),
    ] {
        let solid = model(shape).solid;
        let mut around = vec![[0.0_f32; 3]; solid.positions.len()];
        for corners in &solid.triangles {
            let [from, next, last] = corners.map(|vertex| solid.positions[vertex as usize]);
            let side = |to: [f32; 3]| [0, 1, 2].map(|axis| to[axis] - from[axis]);
            let (one, other) = (side(next), side(last));
            let cross = [(1, 2), (2, 0), (0, 1)].map(|(i, j)| one[i] * other[j] - one[j] * other[i]);
            for vertex in corners {
                let sum = &mut around[*vertex as usize];
                *sum = [0, 1, 2].map(|axis| sum[axis] + cross[axis]);
            }
        }
        let across = |vector: &[f32; 3]| {
            let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
            vector[0].hypot(vector[1]) / length
        };
        let facing = (0..around.len())
            .filter(|vertex| across(&around[*vertex]) > 0.9 && across(&solid.normals[*vertex]) < 0.1);
        assert_eq!(facing.count(), 0, "{name}");
    }
}

/// The lowest faces: their outline's width and depth, and the middle of the solid over them.
fn stands(solid: &Solid) -> ([f64; 2], [f64; 2]) {
    let lowest = solid
        .positions
        .iter()
        .map(|position| position[1])
        .fold(f32::MAX, f32::min);
    let mut bounds = [[f64::MAX, f64::MIN]; 2];
    let (mut middle, mut six) = ([0.0; 3], 0.0);
    for corners in &solid.triangles {
        let corners = corners.map(|vertex| solid.positions[vertex as usize]);
        if corners.iter().all(|corner| corner[1] <= lowest + 1e-5) {
            for corner in corners {
                for (bound, value) in bounds.iter_mut().zip([corner[0], corner[2]]) {
                    *bound = [bound[0].min(value.into()), bound[1].max(value.into())];
                }
            }
        }
        let [a, b, c] = corners.map(|corner| corner.map(f64::from));
        let volume = a[0] * (b[1] * c[2] - b[2] * c[1])
            + a[1] * (b[2] * c[0] - b[0] * c[2])
            + a[2] * (b[0] * c[1] - b[1] * c[0]);
        six += volume;
        (0..3).for_each(|axis| middle[axis] += volume * (a[axis] + b[axis] + c[axis]) / 4.0);
    }
    let [x, _, z] = middle.map(|sum| sum / six);
    assert!(
        bounds[0][0] < x && x < bounds[0][1] && bounds[1][0] < z && z < bounds[1][1],
        "the middle at {x}, {z} is not above the foot {bounds:?}"
    );
    (bounds.map(|[low, high]| high - low), [x, z])
}

fn vase(x: f64, y: f64) -> bool {
    (0.1..0.9).contains(&y) && (x - 0.5).abs() < 0.2 + 0.08 * (9.0 * y).sin()
}

/// Stands on a base that bulges downwards a little, as everything round does that is seen from slightly above.
fn cup(x: f64, y: f64) -> bool {
    y > 0.2 && (x - 0.5).abs() < 0.25 && y < 0.8 - 0.3 * (x - 0.5).powi(2)
}

#[test]
fn what_has_a_level_lower_edge_stands_on_a_flat_foot() {
    for (name, shape, width) in [
        ("robot", robot as Shape, 0.24 / 0.8),
        ("mushroom", mushroom, 0.23 / 0.81),
        ("lantern", lantern, 0.28 / 0.83),
        ("square", square, 1.0),
        ("trapezoid", trapezoid, 0.4 / 0.6),
        ("vase", vase, 0.52 / 0.8),
        ("cup", cup, 0.2 / 0.6),
        ("cut by the border", pictures::bust, 0.74 / 0.76),
    ] {
        let model = model(shape);
        let ([across, deep], _) = stands(&model.solid);
        println!("{name}: foot {across} by {deep}");
        assert!(across > 0.9 * width, "{name}: {across} wide, not {width}");
        let least = if name == "robot" { 0.09 } else { 0.7 * across };
        assert!(deep > least, "{name}: {deep} deep");
    }
}

/// The lowest part of a circle is as level as many a sole. What tells them apart are the corners at its ends.
#[test]
fn what_is_round_or_ends_in_a_point_has_no_foot() {
    let diamond: Shape = |x, y| (x - 0.5).abs() + (y - 0.5).abs() < 0.4;
    for (name, shape) in [
        ("disc", disc as Shape),
        ("egg", egg),
        ("capsule", capsule),
        ("ring", ring),
        ("diamond", diamond),
    ] {
        let solid = model(shape).solid;
        let level = |corners: &&[u32; 3]| {
            let [a, b, c] = corners.map(|vertex| solid.positions[vertex as usize]);
            [b, c].iter().all(|corner| (corner[1] - a[1]).abs() < 1e-6)
        };
        assert_eq!(solid.triangles.iter().filter(level).count(), 0, "{name}");
    }
}

/// All of them, as images for whoever wants to look, are closed.
#[test]
fn all_of_them_are_closed() {
    for shape in [
        disc as Shape,
        capsule,
        lying_capsule,
        strip,
        slanted_strip,
        ring,
        square,
        robot,
        mushroom,
        lantern,
        vase,
        cup,
    ] {
        let topology = model(shape).solid.topology().unwrap();
        assert_eq!(topology.parts, 1);
    }
}
