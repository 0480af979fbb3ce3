//! Cast shadows with a hard edge, which look like a grey part of the object.
//!
//! Such a shadow has one share of the background's light throughout, lies low beside the object, mostly
//! along the background, and the object holds together without it. A neutral background makes grey things
//! look alike, so there it must also reach beyond the object to the side.

use crate::edge::eroded;
use crate::grid::{Grid, SIDES};
use crate::noise::median;
use crate::parts;
use crate::scene::Scene;
use crate::shadow;

/// Share of the picture from which an area is looked at.
const LEAST_SHARE: f64 = 0.001;
/// Share of what remains of the object from which one is believed.
const LEAST_CAST: f64 = 0.04;
/// How much the light may change from one cell to the next, and how far it may vary in one shadow
/// (a deviation), both as shares of the background's.
const STEP: f32 = 0.02;
const EVEN: f64 = 0.02;
/// The least share of an area that must be as even as that.
const PLATEAU: f64 = 0.6;
/// A shadow takes at least this much of the light.
const LEAST_DEPTH: f32 = 0.06;
/// The least share of its edge that lies along the background.
const ALONG: f64 = 0.3;
/// The least share of a shadow that reaches beyond the object to the sides, before a neutral background;
/// and the colour from which one is not neutral (0 to 1).
const BEYOND: f64 = 0.4;
const TINTED: f32 = 0.06;
/// Rows that count as near, in shares of the object's height.
const NEAR_ROWS: f64 = 0.15;
/// How much colour of its own such a shadow may have (0 to 1).
const TINT: f32 = 0.02;
/// The least share of it that lies in the lower half of the object, and how far from the foot it may end,
/// in shares of the object's height.
const LOW: f64 = 0.85;
const FOOT: f64 = 0.15;
/// The least share of what was taken for object that must remain, and of that in its largest body.
const REMAINS: f64 = 0.3;
const HOLDS: f64 = 0.9;
/// Cells around a shadow in which its edge is mixed with the background; and the share of the picture's longer
/// side over which it may grow lighter, by at least so much from cell to cell.
const FRINGE: usize = 3;
const PENUMBRA: usize = 32;
const LIGHTER: f32 = 0.003;

/// An area of even light.
struct Area {
    cells: Vec<usize>,
    /// The mean share of the background's light that is left, and its deviation.
    light: f64,
    deviation: f64,
    /// The share of it that has this light.
    plateau: f64,
    /// Edges of its cells towards the background, and towards all others.
    open: usize,
    edges: usize,
    /// Whether the background behind it has a colour.
    tinted: bool,
}

/// Adds hard shadows to the background, and says whether there were any.
pub(crate) fn add(background: &mut Grid<bool>, scene: &Scene) -> bool {
    let object = background.map(|background| !background);
    let areas: Vec<Area> = areas(&object, scene)
        .into_iter()
        .filter(|area| {
            area.deviation <= EVEN && area.plateau >= PLATEAU && area.open as f64 >= ALONG * area.edges as f64
        })
        .collect();
    if areas.is_empty() {
        return false;
    }
    let mut rest = object.clone();
    for cell in areas.iter().flat_map(|area| &area.cells) {
        rest.values[*cell] = false;
    }
    // Lit ground within the shadow is no part of the object.
    for (index, inside) in rest.values.iter_mut().enumerate() {
        *inside &= !scene.is_near(index);
    }
    // The mixed cells around an area are none of its, and no body either.
    let mut rest = eroded(&rest);
    parts::drop_specks(&mut rest);
    let extents = |row: &[bool]| {
        Some((
            row.iter().position(|in_it| *in_it)?,
            row.iter().rposition(|in_it| *in_it)?,
        ))
    };
    let rows: Vec<_> = rest.values.chunks_exact(rest.width).map(extents).collect();
    let rows = widened(&rows);
    let least = LEAST_CAST * rest.values.iter().filter(|inside| **inside).count() as f64;
    let cast = |area: &&Area| area.cells.len() as f64 >= least && area.is_cast(&rest, &rows);
    let Some(cast) = areas.iter().find(cast) else {
        return false;
    };
    let light = cast.light;
    let mut without = object.clone();
    for area in areas
        .iter()
        .filter(|area| (area.light - light).abs() < 2.0 * EVEN)
    {
        area.take_from(&mut without, scene);
    }
    let mut found = without.map(|object| !object);
    let taken = |index: &usize| found.values[*index] && object.values[*index];
    let taken = (0..found.values.len()).filter(taken).collect();
    scene.spread(&mut found, taken);
    let mut without = found.map(|background| !background);
    parts::drop_specks(&mut without);
    let count = |mask: &Grid<bool>| mask.values.iter().filter(|inside| **inside).count() as f64;
    let largest = parts::parts(&without, true).sizes.into_iter().max().unwrap_or(0) as f64;
    let holds = count(&without) >= REMAINS * count(&object) && largest >= HOLDS * count(&without);
    if holds {
        *background = found;
    }
    holds
}

impl Area {
    /// Whether it lies beside the foot of what remains of the object.
    fn is_cast(&self, rest: &Grid<bool>, rows: &[Option<(usize, usize)>]) -> bool {
        let Some(top) = rows.iter().position(Option::is_some) else {
            return false;
        };
        let bottom = rows.iter().rposition(Option::is_some).unwrap_or(top);
        let count = |of: &dyn Fn(usize, usize) -> bool| {
            let cells = self.cells.iter();
            cells
                .filter(|cell| of(**cell % rest.width, **cell / rest.width))
                .count() as f64
        };
        let all = self.cells.len() as f64;
        let low = count(&|_, y| 2 * y >= top + bottom);
        let beyond = count(&|x, y| rows[y].is_some_and(|(left, right)| x < left || x > right));
        let lowest = self.cells.iter().map(|cell| cell / rest.width).max().unwrap_or(0);
        let at_foot = lowest as f64 >= bottom as f64 - FOOT * (bottom - top) as f64;
        low >= LOW * all && at_foot && (self.tinted || beyond >= BEYOND * all)
    }

    fn take_from(&self, object: &mut Grid<bool>, scene: &Scene) {
        let mut front = self.cells.clone();
        for cell in &front {
            object.values[*cell] = false;
        }
        for step in 0..reach(object) {
            let mut next_front = Vec::new();
            for from in front {
                // Close to it anything in between; further out only what grows lighter.
                let lighter = shadow::light(scene, from, 2.0 * TINT).map(|light| light + LIGHTER);
                for next in scene.colours.neighbours(from) {
                    let grows = |light: f32| step < FRINGE || lighter.is_some_and(|least| light >= least);
                    let mixed = self.mixed(scene, next).is_some_and(grows);
                    if object.values[next] && mixed {
                        object.values[next] = false;
                        next_front.push(next);
                    }
                }
            }
            front = next_front;
        }
    }
}

/// Cells over which the edge of a shadow may reach.
fn reach<T>(grid: &Grid<T>) -> usize {
    FRINGE.max(grid.width.max(grid.height) / PENUMBRA)
}

/// What the object spans in each row and those near it: one foot alone does not lie beside the other.
fn widened(rows: &[Option<(usize, usize)>]) -> Vec<Option<(usize, usize)>> {
    let height = rows.iter().flatten().count();
    let reach = (height as f64 * NEAR_ROWS) as usize;
    let around = |row: usize| {
        rows[row.saturating_sub(reach)..(row + reach + 1).min(rows.len())]
            .iter()
            .flatten()
    };
    (0..rows.len())
        .map(|row| {
            rows[row]?;
            let left = around(row).map(|(left, _)| *left).min()?;
            let right = around(row).map(|(_, right)| *right).max()?;
            Some((left, right))
        })
        .collect()
}

fn areas(object: &Grid<bool>, scene: &Scene) -> Vec<Area> {
    let least = (object.values.len() as f64 * LEAST_SHARE) as usize;
    let mut lights = object.map(|_| f32::NAN);
    for (index, light) in lights.values.iter_mut().enumerate() {
        if object.values[index]
            && let Some(left) = shadow::light(scene, index, TINT)
            && left <= 1.0 - LEAST_DEPTH
        {
            *light = left;
        }
    }
    let mut seen = object.map(|_| false);
    let mut out = Vec::new();
    for start in 0..seen.values.len() {
        if seen.values[start] || lights.values[start].is_nan() {
            continue;
        }
        let mut area = Area {
            cells: vec![start],
            light: 0.0,
            deviation: 0.0,
            plateau: 0.0,
            open: 0,
            edges: 0,
            tinted: false,
        };
        seen.values[start] = true;
        let mut done = 0;
        while let Some(from) = area.cells.get(done).copied() {
            done += 1;
            for next in object.neighbours(from) {
                // A cell without light is no number, and no step from it is small.
                let even = (lights.values[next] - lights.values[from]).abs() < STEP;
                if even && !seen.values[next] {
                    seen.values[next] = true;
                    area.cells.push(next);
                }
            }
        }
        if area.cells.len() >= least {
            area.measure(object, &lights, scene);
            out.push(area);
        }
    }
    out
}

impl Area {
    fn measure(&mut self, object: &Grid<bool>, lights: &Grid<f32>, scene: &Scene) {
        let of = |cell: &usize| f64::from(lights.values[*cell]);
        // The corners of a penumbra are as even as the shadow itself.
        let middle = f64::from(median(
            self.cells.iter().map(|cell| lights.values[*cell]).collect(),
        ));
        let all = self.cells.len() as f64;
        self.cells.retain(|cell| (of(cell) - middle).abs() <= 2.0 * EVEN);
        let count = self.cells.len() as f64;
        self.plateau = count / all;
        self.light = self.cells.iter().map(of).sum::<f64>() / count;
        let squares = self.cells.iter().map(|cell| (of(cell) - self.light).powi(2));
        self.deviation = (squares.sum::<f64>() / count).sqrt();
        let own: std::collections::HashSet<usize> = self.cells.iter().copied().collect();
        for cell in &self.cells {
            for towards in SIDES {
                // The cells in between are mixed with the background.
                let next = object.along(*cell, towards, 1);
                if next.is_some_and(|next| !own.contains(&next)) {
                    self.edges += 1;
                    self.open += usize::from(self.opens(object, scene, *cell, towards));
                }
            }
        }
        let [_, blue, red] = scene.backdrop.values[self.cells[0]].0;
        self.tinted = blue.hypot(red) > TINTED;
    }

    /// The light of a cell between the shadow and the background.
    fn mixed(&self, scene: &Scene, cell: usize) -> Option<f32> {
        shadow::light(scene, cell, 2.0 * TINT).filter(|light| f64::from(*light) > self.light - EVEN)
    }

    /// Whether the edge at a cell goes over into the background.
    fn opens(&self, object: &Grid<bool>, scene: &Scene, cell: usize, towards: (isize, isize)) -> bool {
        for steps in 1..=reach(object) {
            let Some(next) = object.along(cell, towards, steps as isize) else {
                return false;
            };
            if !object.values[next] || scene.is_near(next) {
                return true;
            }
            if steps > FRINGE && self.mixed(scene, next).is_none() {
                return false;
            }
        }
        false
    }
}
