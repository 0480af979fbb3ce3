//! What the tests share: running the engine, and the silhouette of its meshes.

use std::ops::ControlFlow;

use trellis_core::{ModelParams, Params, ParamsPatch};
use trellis_picture::{Picture, decode};
use trellis_relief::{Model, ReliefError, model};

pub(crate) const MAX_PIXELS: u64 = 64_000_000;

pub(crate) fn params() -> Params {
    ParamsPatch::default()
        .resolve(1)
        .expect("the defaults are allowed")
}

/// With so much simplified and the smallest texture.
pub(crate) fn simplified(share: f64) -> ModelParams {
    let asked = ParamsPatch::default()
        .with("mesh_simplify", share)
        .with("texture_size", 512);
    asked.resolve(1).expect("a share that is allowed").model
}

/// With the smallest texture.
pub(crate) fn small() -> ModelParams {
    simplified(params().mesh_simplify())
}

pub(crate) fn made(picture: &Picture, params: &Params) -> Result<Model, ReliefError> {
    model(picture, params, &mut |_| ControlFlow::Continue(()))
}

pub(crate) fn made_from(bytes: &[u8], remove_background: bool) -> (Picture, Result<Model, ReliefError>) {
    let picture = decode(bytes, MAX_PIXELS).expect("the picture is whole");
    let params = Params {
        remove_background,
        model: small(),
        ..params()
    };
    let made = made(&picture, &params);
    (picture, made)
}

/// Which of `size` pixels, laid over the whole picture, the mesh covers as seen from the front.
pub(crate) fn silhouette(model: &Model, picture: &Picture, size: (usize, usize)) -> Vec<bool> {
    let mut covered = vec![false; size.0 * size.1];
    let (window, front) = (model.window, model.atlas.front);
    let places: Vec<[f64; 2]> = model
        .solid
        .uvs
        .iter()
        .map(|[u, v]| {
            let x = window.left + f64::from((*u - front.left) / front.width) * window.width;
            let y = window.top + f64::from((*v - front.top) / front.height) * window.height;
            [
                x / f64::from(picture.width()) * size.0 as f64,
                y / f64::from(picture.height()) * size.1 as f64,
            ]
        })
        .collect();
    let seen = |corners: &&[u32; 3]| {
        corners
            .iter()
            .all(|vertex| front.holds(model.solid.uvs[*vertex as usize]))
    };
    for corners in model.solid.triangles.iter().filter(seen) {
        fill(&mut covered, size, corners.map(|vertex| places[vertex as usize]));
    }
    covered
}

/// Marks the pixels whose centres are in a triangle.
fn fill(covered: &mut [bool], size: (usize, usize), corners: [[f64; 2]; 3]) {
    let range = |axis: usize, limit: usize| {
        let values = corners.map(|corner| corner[axis]);
        let low = values.iter().copied().fold(f64::MAX, f64::min).floor().max(0.0) as usize;
        let high = values
            .iter()
            .copied()
            .fold(f64::MIN, f64::max)
            .ceil()
            .clamp(0.0, limit as f64) as usize;
        low..high
    };
    for y in range(1, size.1) {
        for x in range(0, size.0) {
            let centre = [x as f64 + 0.5, y as f64 + 0.5];
            let sides = [0, 1, 2].map(|side| {
                let (from, to) = (corners[side], corners[(side + 1) % 3]);
                (to[0] - from[0]) * (centre[1] - from[1]) - (to[1] - from[1]) * (centre[0] - from[0])
            });
            if sides.iter().all(|side| *side >= 0.0) || sides.iter().all(|side| *side <= 0.0) {
                covered[y * size.0 + x] = true;
            }
        }
    }
}

/// Pixels in both over pixels in either.
pub(crate) fn overlap(a: &[bool], b: &[bool]) -> f64 {
    let both = a.iter().zip(b).filter(|(a, b)| **a && **b).count();
    let either = a.iter().zip(b).filter(|(a, b)| **a || **b).count();
    both as f64 / either.max(1) as f64
}

/// The picture's size with a longer side of 512.
pub(crate) fn raster(picture: &Picture) -> (usize, usize) {
    let scale = 512.0 / f64::from(picture.width().max(picture.height()));
    let side = |pixels: u32| (f64::from(pixels) * scale).round().max(1.0) as usize;
    (side(picture.width()), side(picture.height()))
}
