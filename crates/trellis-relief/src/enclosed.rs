//! Enclosed areas of the background's colour: a hole through the object, or a white part of it?
//!
//! A hole shows the background as it is around the object: at the same level, with the same grain, and with
//! the object's edge around it. An area is the object's when its level or grain differ (a label of another
//! white, the folds of a shirt), when something lies within it (print on a label), or when the object
//! fades into it (the light of a lantern, the gloss of a ball). Where nothing of that is to be seen, the
//! picture does not say, and it is taken for a hole; either way a note tells how many there were.

use crate::colour::Colour;
use crate::grid::{Grid, SIDES};
use crate::noise::{Noise, median};
use crate::parts;
use crate::scene::Scene;
use crate::shadow;

/// Share of the picture from which an enclosed area is looked at.
const LEAST_SHARE: f64 = 0.0015;
/// The grain of a hole is at most so many times the background's, and this much more (0 to 1).
const GRAIN: f32 = 2.5;
const MORE_GRAIN: f32 = 0.004;
/// The least share of an area that lies in the light, if a shadow falls into it.
const LIT: f64 = 0.35;
/// Cells of something within an area that is not noise; its contrast is [`LEAST_CONTRAST`], too.
const PRINT: usize = 6;
/// Cells outwards from an area's edge: where an edge has its step (a JPEG of halved colours needs five for it),
/// how far its contrast is followed, and how far at least: what is thinner says nothing.
const STEP: isize = 5;
const FOLLOWED: isize = 12;
const FAR_ENOUGH: isize = 8;
/// The least contrast that an edge is judged by.
const LEAST_CONTRAST: f32 = 0.12;
/// The least share of an area's edge that must be judged by.
const JUDGED: f32 = 0.2;
/// How much softer than the outline the edge of a hole may be.
const SOFTER: f32 = 0.12;
/// An area that its soft surroundings make so many times larger is a gloss.
const GLOSS: f64 = 2.0;

/// What was decided.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Enclosed {
    /// Areas taken for holes.
    pub(crate) holes: usize,
    /// Areas kept as parts of the object.
    pub(crate) kept: usize,
}

/// How soft most of the outline is, 0 to 1; pale parts and shadows along it don't count for much.
fn outline(background: &Grid<bool>, scene: &Scene) -> f32 {
    median(softness(background.rim(), background, background, scene))
}

/// Opens the holes in `background`; `pale` are cells already known to be the object's.
pub(crate) fn open_holes(
    background: &mut Grid<bool>,
    pale: &Grid<bool>,
    scene: &Scene,
    noise: &Noise,
) -> Enclosed {
    let mut near = background.map(|background| !background);
    for (index, near) in near.values.iter_mut().enumerate() {
        *near &= scene.is_near(index) && !pale.values[index];
    }
    let found = parts::parts(&near, false);
    let least = ((near.values.len() as f64 * LEAST_SHARE) as usize).max(4);
    let mut areas = vec![Vec::new(); found.sizes.len()];
    for (cell, part) in found.cells().filter(|(_, part)| found.sizes[*part] >= least) {
        areas[part].push(cell);
    }
    areas.retain(|area| !area.is_empty());
    let mut enclosed = Enclosed::default();
    if areas.is_empty() {
        return enclosed;
    }
    let look = Look {
        outline: outline(background, scene),
        printed: prints(background, &found.labels, scene),
        background,
        scene,
        noise,
    };
    let mut inside = background.map(|_| false);
    let holes: Vec<Vec<usize>> = areas
        .iter()
        .filter_map(|area| look.hole(area, &mut inside))
        .collect();
    enclosed.holes = holes.len();
    enclosed.kept = areas.len() - holes.len();
    for cell in holes.into_iter().flatten() {
        background.values[cell] = true;
    }
    enclosed
}

struct Look<'a> {
    background: &'a Grid<bool>,
    scene: &'a Scene<'a>,
    noise: &'a Noise,
    /// How soft the outline is.
    outline: f32,
    /// Cells of areas that something lies in, in order.
    printed: Vec<usize>,
}

impl Look<'_> {
    /// The cells of an area that is a hole, its shadows among them; `inside` is empty before and after.
    fn hole(&self, area: &[usize], inside: &mut Grid<bool>) -> Option<Vec<usize>> {
        for cell in area {
            inside.values[*cell] = true;
        }
        let printed = area.iter().any(|cell| self.printed.binary_search(cell).is_ok());
        let differs = printed || self.differs(area, inside);
        let grown = if differs {
            area.to_vec()
        } else {
            self.with_shadows(area, inside)
        };
        let gloss = grown.len() as f64 > GLOSS * area.len() as f64;
        let soft = softness(grown.iter().copied(), inside, self.background, self.scene);
        let softer = soft.iter().sum::<f32>() / soft.len().max(1) as f32 - self.outline;
        for cell in &grown {
            inside.values[*cell] = false;
        }
        (!differs && !gloss && softer <= SOFTER).then_some(grown)
    }

    /// Whether the level or the grain is another than the background's around it.
    fn differs(&self, area: &[usize], inside: &Grid<bool>) -> bool {
        let deep = |cell: &&usize| {
            [(2, 0), (-2, 0), (0, 2), (0, -2)].iter().all(|towards| {
                inside
                    .along(**cell, *towards, 1)
                    .is_some_and(|next| inside.values[next])
            })
        };
        let mut cells: Vec<usize> = area.iter().filter(deep).copied().collect();
        if cells.len() * 4 < area.len() {
            cells = area.to_vec();
        }
        // A shadow may fall into a hole: what lies in the light counts, if there is enough of it.
        let shade = -self.noise.level[0] - 3.0 * self.noise.grain;
        let lit: Vec<usize> = cells
            .iter()
            .copied()
            .filter(|cell| self.scene.residual(*cell)[0] > shade)
            .collect();
        if lit.len() as f64 >= LIT * cells.len() as f64 {
            cells = lit;
        }
        let of = |channel: usize| cells.iter().map(move |cell| self.scene.residual(*cell)[channel]);
        let level = [0, 1, 2].map(|channel| median(of(channel).collect()));
        let (mut x, mut y) = (0, 0);
        for cell in &cells {
            x += cell % inside.width;
            y += cell / inside.width;
        }
        let around = self.noise.around(x / cells.len(), y / cells.len());
        let off: Colour = [0, 1, 2].map(|channel| level[channel] - around[channel]);
        let grain = Noise::grain_of(self.scene, inside, cells.iter().copied());
        self.noise.levels(off) > 1.0 || grain > GRAIN * self.noise.grain + MORE_GRAIN
    }

    /// The area with the shadows that fall into it; `inside` grows with it.
    fn with_shadows(&self, area: &[usize], inside: &mut Grid<bool>) -> Vec<usize> {
        let mut grown = area.to_vec();
        let mut done = 0;
        while done < grown.len() {
            let from = grown[done];
            done += 1;
            for next in self.background.neighbours(from) {
                let free = !inside.values[next] && !self.background.values[next];
                if free && shadow::goes_on(self.scene, next, from, shadow::STEEPEST) {
                    inside.values[next] = true;
                    grown.push(next);
                }
            }
        }
        grown
    }
}

/// How soft the edge of `inside` towards the object is at each of these of its cells: 0 has all its contrast
/// at its step, 1 nothing. Each cell looks where its edge is sharpest: along a slanting edge any is soft.
/// Where too little can be judged, nothing.
fn softness(
    cells: impl Iterator<Item = usize>,
    inside: &Grid<bool>,
    background: &Grid<bool>,
    scene: &Scene,
) -> Vec<f32> {
    let mut soft = Vec::new();
    let mut edges = 0_u32;
    for index in cells {
        let (mut least, mut at_edge) = (f32::INFINITY, false);
        for towards in SIDES {
            let (mut at_step, mut most) = (0.0, 0.0_f32);
            let mut seen = 0;
            for steps in 1..=FOLLOWED {
                let Some(cell) = inside.along(index, towards, steps) else {
                    break;
                };
                if inside.values[cell] || background.values[cell] {
                    break;
                }
                seen = steps;
                most = most.max(scene.contrast(cell));
                if steps == STEP {
                    at_step = most;
                }
            }
            at_edge |= seen > 0;
            if seen >= FAR_ENOUGH {
                // What is not even clear after all these steps is as soft as can be.
                let clear = most >= LEAST_CONTRAST;
                least = least.min(if clear { 1.0 - at_step / most } else { 1.0 });
            }
        }
        edges += u32::from(at_edge);
        if least.is_finite() {
            soft.push(least);
        }
    }
    if (soft.len() as f32) < JUDGED * edges as f32 {
        soft.clear();
    }
    soft
}

/// What lies around something that lies in no single area.
const MANY: u32 = u32::MAX;

/// Cells of enclosed areas, in order, next to something that lies wholly within the area.
fn prints(background: &Grid<bool>, areas: &Grid<u32>, scene: &Scene) -> Vec<usize> {
    let mut rest = background.map(|background| !background);
    for (rest, area) in rest.values.iter_mut().zip(&areas.values) {
        *rest &= *area == 0;
    }
    let found = parts::parts(&rest, true);
    // The one area around each part: 0 before it was seen, `MANY` when there is something else, too.
    let mut around = vec![0_u32; found.sizes.len()];
    let mut beside = vec![0; found.sizes.len()];
    let mut contrast = vec![0.0_f32; found.sizes.len()];
    for (index, part) in found.cells() {
        let most = &mut contrast[part];
        *most = most.max(scene.contrast(index));
        let around = &mut around[part];
        if rest.on_border(index) {
            *around = MANY;
        }
        for next in rest.neighbours(index).filter(|next| !rest.values[*next]) {
            let area = areas.values[next];
            if area == 0 || (*around != 0 && *around != area) {
                *around = MANY;
            } else {
                *around = area;
                beside[part] = next;
            }
        }
    }
    let mut out: Vec<usize> = (0..around.len())
        .filter(|part| !matches!(around[*part], 0 | MANY))
        .filter(|part| found.sizes[*part] >= PRINT && contrast[*part] >= LEAST_CONTRAST)
        .map(|part| beside[part])
        .collect();
    out.sort_unstable();
    out
}
