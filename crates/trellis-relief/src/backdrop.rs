//! Removes a plain background by classical means.
//!
//! 1. Bars around the picture are left out (`bars.rs`).
//! 2. The colours along the border are fitted by one or two smooth surfaces (a quadratic in x and y for
//!    each channel, robustly, `surface.rs`): a plain wall, a gradient, a wall above a table.
//! 3. What looks like a surface and hangs together with the border is background; so are soft shadows
//!    next to it (`shadow.rs`) and hard ones (`hard_shadow.rs`), but not pale objects that end sharply (`faint.rs`).
//! 4. Enclosed areas of its colour are holes, or white parts of the object (`enclosed.rs`).
//! 5. Cells at the edge get the share of object colour in their mixture (`edge.rs`).
//!
//! Not here: pictures with an alpha channel (`matte.rs`).

use trellis_picture::Picture;

use crate::bars;
use crate::colour::{Colour, NEAR};
use crate::decisions::{Decisions, MaskSource};
use crate::edge::{eroded, mixture};
use crate::enclosed;
use crate::error::ReliefError;
use crate::facts::Facts;
use crate::faint;
use crate::grid::Grid;
use crate::hard_shadow;
use crate::noise::Noise;
use crate::parts;
use crate::scene::{Scene, colours, place};
use crate::shadow;
use crate::surface::Surface;

/// Shares of the border that one and all surfaces must explain.
const SECOND_SURFACE: f64 = 0.25;
const EXPLAINED: f64 = 0.5;
/// Cells of the border that are looked at, at most.
const MOST_SAMPLES: usize = 6000;
/// Shares of the picture between which an object is believed.
const LEAST_OBJECT: f64 = 0.0005;
const MOST_OBJECT: f64 = 0.97;

/// The object, and what was decided to find it.
pub(crate) struct Removed {
    /// Coverage from 0 to 1 over the whole picture.
    pub(crate) coverage: Grid<f32>,
    pub(crate) decisions: Decisions,
}

/// Finds the object before its background.
pub(crate) fn remove(picture: &Picture) -> Result<Removed, ReliefError> {
    let colours = colours(picture);
    let size = (colours.width, colours.height);
    // Where nothing is found between the bars, they were none: a pole across the whole picture.
    if let Some(inner) = bars::within(&colours)
        && let Ok(mut removed) = separate(&inner.cut(&colours))
    {
        removed.coverage = inner.put_back(&removed.coverage, size, 0.0);
        removed.decisions.bars = true;
        return Ok(removed);
    }
    separate(&colours)
}

fn separate(colours: &Grid<Colour>) -> Result<Removed, ReliefError> {
    let surfaces = surfaces(colours)?;
    match before(&surfaces, colours) {
        // The second one was the object itself, where the border cuts it.
        Err(ReliefError::OnlyBackground) if surfaces.len() > 1 => before(&surfaces[..1], colours),
        found => found,
    }
}

/// The object before these surfaces.
fn before(surfaces: &[Surface], colours: &Grid<Colour>) -> Result<Removed, ReliefError> {
    let scene = Scene::new(colours, surfaces);
    let mut background = colours.map(|_| false);
    let border = |index: &usize| background.on_border(*index) && scene.is_near(*index);
    let border = (0..background.values.len()).filter(border).collect();
    scene.spread(&mut background, border);
    shadow::add_soft(&mut background, &scene);
    let hard_shadow = hard_shadow::add(&mut background, &scene);
    let noise = Noise::of(&scene, &background);
    let pale = faint::take_back(&mut background, &scene, &noise);
    let enclosed = enclosed::open_holes(&mut background, &pale, &scene, &noise);
    let mut object = background.map(|background| !background);
    drop_crumbs(&mut object);
    let share = object.values.iter().filter(|inside| **inside).count() as f64 / object.values.len() as f64;
    if share < LEAST_OBJECT {
        return Err(ReliefError::OnlyBackground);
    }
    if share > MOST_OBJECT {
        return Err(ReliefError::BusyBackground);
    }
    let decisions = Decisions {
        enclosed,
        hard_shadow,
        source: MaskSource::Removed,
        unevenness: surfaces.iter().map(Surface::unevenness).fold(0.0, f32::max),
        ..Decisions::default()
    };
    Facts::of(&object).check(&decisions)?;
    Ok(Removed {
        coverage: mixture(&scene, &object),
        decisions,
    })
}

/// The surfaces of the background.
fn surfaces(colours: &Grid<Colour>) -> Result<Vec<Surface>, ReliefError> {
    let (width, height) = (colours.width, colours.height);
    let thickness = (width.min(height) / 50).max(1);
    let mut border = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let edge = x.min(y).min(width - 1 - x).min(height - 1 - y);
            if edge < thickness {
                border.push((place(colours, x, y), colours.at(x, y)));
            }
        }
    }
    let every = border.len().div_ceil(MOST_SAMPLES);
    let border: Vec<_> = border.into_iter().step_by(every).collect();
    let mut unexplained = border.clone();
    let mut found = Vec::new();
    while found.len() < 2 && unexplained.len() as f64 >= border.len() as f64 * SECOND_SURFACE {
        let surface = Surface::fit(&unexplained);
        let before = unexplained.len();
        unexplained.retain(|(place, colour)| surface.distance(*place, *colour) > NEAR);
        if ((before - unexplained.len()) as f64) < border.len() as f64 * SECOND_SURFACE {
            break;
        }
        found.push(surface);
    }
    let explained = (border.len() - unexplained.len()) as f64 / border.len() as f64;
    if found.is_empty() || explained < EXPLAINED {
        return Err(ReliefError::BusyBackground);
    }
    Ok(found)
}

/// Takes out cells with fewer than two neighbours of their own kind among eight: noise, not object.
fn drop_crumbs(object: &mut Grid<bool>) {
    let before = object.clone();
    let solid = eroded(object);
    for y in 0..object.height {
        for x in 0..object.width {
            if solid.at(x, y) == before.at(x, y) {
                continue;
            }
            let mut around = 0;
            for row in -1..=1 {
                for column in -1..=1 {
                    around += u32::from(before.get_or(x as isize + column, y as isize + row, false));
                }
            }
            if around < 3 {
                object.set(x, y, false);
            }
        }
    }
    parts::drop_specks(object);
}
