//! Cast shadows on the background: they belong to it, a pale object does not.
//!
//! In a shadow every channel of the background is darker by the same factor. A soft shadow fades at its
//! edge, an object ends.

use crate::grid::{Grid, SIDES};
use crate::parts;
use crate::scene::Scene;

/// The least share of the background's light that is left in a shadow.
const DARKEST: f32 = 0.35;
/// How much colour of its own a shadow may have (0 to 1).
const TINT: f32 = 0.035;
/// How much a shadow may change from one cell to the next: the steep edge of one close to what casts it,
/// and ever gentler ones, for which less is taken for a shadow.
const STEPS: [f32; 3] = [STEEPEST, 0.02, 0.012];
pub(crate) const STEEPEST: f32 = 0.035;
/// Parts of the picture's longer side to both sides of an edge between which a sharp one has most of its step, and
/// over which the widest one fades; and that share of the depth further inside.
const SHARP: usize = 200;
const WIDEST: usize = 32;
const MOST: f32 = 0.6;
/// The least share of its whole edge that fades into the background: what is let into an object by a soft
/// place has most of its edge in there.
const FADING: f64 = 0.3;

/// The share of the background's light that is left in a cell; `None` if it has more colour of its own than
/// a shadow.
pub(crate) fn light(scene: &Scene, index: usize, most_tint: f32) -> Option<f32> {
    let (behind, colour) = (scene.backdrop.values[index].0, scene.colours.values[index]);
    let light = colour[0] / behind[0].max(1e-3);
    let tint = (colour[1] - light * behind[1]).hypot(colour[2] - light * behind[2]);
    (light >= DARKEST && tint < most_tint).then_some(light)
}

/// Whether a cell is the background in a shadow that grows gradually from its neighbour.
pub(crate) fn goes_on(scene: &Scene, index: usize, from: usize, most: f32) -> bool {
    let (colour, neighbour) = (scene.colours.values[index], scene.colours.values[from]);
    let step = (0..3)
        .map(|channel| (colour[channel] - neighbour[channel]).abs())
        .fold(0.0, f32::max);
    step < most && light(scene, index, TINT).is_some_and(|light| light <= 1.0)
}

/// Adds the soft shadows next to the background.
pub(crate) fn add_soft(background: &mut Grid<bool>, scene: &Scene) {
    for most in STEPS {
        let mut dark = background.map(|_| false);
        let mut open: Vec<usize> = background.rim().collect();
        while let Some(from) = open.pop() {
            for next in background.neighbours(from) {
                if background.values[next] || dark.values[next] {
                    continue;
                }
                if scene.is_near(next) || goes_on(scene, next, from, most) {
                    dark.values[next] = true;
                    open.push(next);
                }
            }
        }
        if dark.values.contains(&true) {
            keep_fading(background, &dark, scene);
        }
    }
}

/// Of what was taken for shadows, those parts become background that fade around most of their edge: one
/// soft place in the edge of a pale object is enough to let the search in.
fn keep_fading(background: &mut Grid<bool>, dark: &Grid<bool>, scene: &Scene) {
    let found = parts::parts(dark, false);
    let depth_of = |index: usize| -scene.residual(index)[0];
    let side = dark.width.max(dark.height);
    let reach = (side / SHARP).max(1) as isize;
    let deep = (side / WIDEST) as isize;
    // How many edges of its cells towards the plain background are sharp, and fade; and those towards others.
    let mut edges = vec![Edges::default(); found.sizes.len()];
    for (index, part) in found.cells() {
        for towards in SIDES {
            let seen = |steps: isize| dark.along(index, towards, steps);
            let (Some(next), Some(outside), Some(inside)) = (seen(1), seen(reach), seen(-reach)) else {
                continue;
            };
            let edges = &mut edges[part];
            if background.values[next] {
                let step = depth_of(inside) - depth_of(outside);
                let further =
                    (reach..=deep).map_while(|steps| seen(-steps).filter(|cell| dark.values[*cell]));
                let depth = further.map(depth_of).fold(0.0, f32::max);
                let sharp = step > MOST * depth;
                edges.sharp += usize::from(sharp);
                edges.fading += usize::from(!sharp);
            } else if !dark.values[next] {
                edges.other += 1;
            }
        }
    }
    for (index, part) in found.cells() {
        let Edges { sharp, fading, other } = edges[part];
        background.values[index] |=
            fading >= sharp && (fading as f64) >= FADING * (fading + sharp + other) as f64;
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Edges {
    sharp: usize,
    fading: usize,
    other: usize,
}
