//! The working grid: the object's coverage at a bounded resolution, cropped to the object.
//!
//! A first look at the whole picture finds the object and its specks; the grid is then laid over the
//! object alone, so that a small object in a large picture keeps its outline.

use trellis_picture::Picture;

use crate::error::ReliefError;
use crate::facts::Facts;
use crate::grid::{Grid, INSIDE};
use crate::matte::Matte;
use crate::parts;
use crate::window::Window;

/// Cells along the longer side of the object: the outline is followed between cells, so this suffices
/// for a silhouette at 512 pixels, and the solver and the triangulation stay fast.
const LONGEST: f64 = 512.0;
/// A smaller object is enlarged, each pixel a square, until its longer side has as many cells.
const SHORTEST: f64 = 64.0;
/// Cells along the longer side of the picture at the first look.
const FIRST_LOOK: f64 = 512.0;
/// Cells around the object: one that is empty for sure, one that takes part in softening.
const MARGIN: usize = 2;
/// Coverage of the object, with a margin of [`MARGIN`] empty cells on each side.
pub(crate) struct Coverage {
    /// From 0 to 1; [`INSIDE`] and more is the object.
    pub(crate) grid: Grid<f32>,
    /// Where the grid lies in the picture.
    pub(crate) window: Window,
    /// Whether the object is thinner than a cell, and was thickened to one.
    pub(crate) thickened: bool,
    /// What the object is like in its picture.
    pub(crate) facts: Facts,
}

/// Lays the working grid over the object.
pub(crate) fn coverage(picture: &Picture, matte: &Matte) -> Result<Coverage, ReliefError> {
    let raster = matte.raster(picture);
    let (bounds, facts) = first_look(picture, matte)?;
    let longest = bounds.width.max(bounds.height);
    // Cells per raster pixel: whole numbers when enlarging, so that pixels stay squares.
    let zoom = if longest >= SHORTEST {
        1.0
    } else {
        (SHORTEST / longest).ceil()
    };
    let step = (longest / LONGEST).max(1.0 / zoom);
    let columns = (bounds.width / step).ceil() as usize + 2 * MARGIN;
    let rows = (bounds.height / step).ceil() as usize + 2 * MARGIN;
    let window = Window {
        left: bounds.left - step * MARGIN as f64,
        top: bounds.top - step * MARGIN as f64,
        width: columns as f64 * step,
        height: rows as f64 * step,
    };
    let (grid, thickened) = if zoom > 1.0 {
        (enlarged(picture, matte, window, zoom as usize), false)
    } else {
        sampled(picture, matte, window, (columns, rows))
    };
    let mut grid = emptied_margin(grid);
    let mut mask = grid.map(|coverage| coverage >= INSIDE);
    parts::drop_specks(&mut mask);
    for (coverage, inside) in grid.values.iter_mut().zip(&mask.values) {
        if !inside && *coverage >= INSIDE {
            *coverage = 0.0;
        }
    }
    if !mask.values.contains(&true) {
        return Err(ReliefError::OnlyBackground);
    }
    crate::outline::soften(&mut grid);
    let across = f64::from(picture.width()) / raster.0 as f64;
    let down = f64::from(picture.height()) / raster.1 as f64;
    Ok(Coverage {
        grid,
        window: window.scaled(across, down),
        thickened,
        facts,
    })
}

/// The mean coverage; where that loses most of the object, the cells that it touches, and `true`.
fn sampled(picture: &Picture, matte: &Matte, window: Window, size: (usize, usize)) -> (Grid<f32>, bool) {
    let mean = matte.mean(picture, window, size);
    if window.width <= size.0 as f64 {
        return (mean, false);
    }
    let touched = matte.touched(picture, window, size);
    let count = |grid: &Grid<f32>| grid.values.iter().filter(|coverage| **coverage >= INSIDE).count();
    // A line of one pixel is lost by the mean, or broken; anything with a body loses its rim only.
    if count(&mean) * 5 < count(&touched) {
        return (touched, true);
    }
    (mean, false)
}

/// The object's bounds in raster pixels, specks left out, and what it is like.
fn first_look(picture: &Picture, matte: &Matte) -> Result<(Window, Facts), ReliefError> {
    let raster = matte.raster(picture);
    let step = (raster.0.max(raster.1) as f64 / FIRST_LOOK).max(1.0);
    let size = (
        (raster.0 as f64 / step).ceil() as usize,
        (raster.1 as f64 / step).ceil() as usize,
    );
    let whole = Window {
        left: 0.0,
        top: 0.0,
        width: size.0 as f64 * step,
        height: size.1 as f64 * step,
    };
    let (grid, _) = sampled(picture, matte, whole, size);
    let mut mask = grid.map(|coverage| coverage >= INSIDE);
    parts::drop_specks(&mut mask);
    let [left, right, top, bottom] = parts::bounds(&mask).ok_or(ReliefError::OnlyBackground)?;
    // At a coarse first look the rim may reach one cell further.
    let slack = usize::from(step > 1.0);
    let left = left.saturating_sub(slack) as f64 * step;
    let top = top.saturating_sub(slack) as f64 * step;
    let right = ((right + slack) as f64 * step).min(raster.0 as f64);
    let bottom = ((bottom + slack) as f64 * step).min(raster.1 as f64);
    let bounds = Window {
        left,
        top,
        width: right - left,
        height: bottom - top,
    };
    Ok((bounds, Facts::of(&mask)))
}

fn enlarged(picture: &Picture, matte: &Matte, window: Window, zoom: usize) -> Grid<f32> {
    let (width, height) = matte.raster(picture);
    let columns = (window.width * zoom as f64).round() as usize;
    let rows = (window.height * zoom as f64).round() as usize;
    let left = (window.left * zoom as f64).round() as isize;
    let top = (window.top * zoom as f64).round() as isize;
    let mut grid = Grid::filled(columns, rows, 0.0);
    for y in 0..rows {
        for x in 0..columns {
            let (across, down) = (left + x as isize, top + y as isize);
            if across < 0 || down < 0 {
                continue;
            }
            let (across, down) = (across as usize / zoom, down as usize / zoom);
            if across < width && down < height {
                grid.set(x, y, matte.at(picture, across, down));
            }
        }
    }
    grid
}

/// The outermost cells emptied, so that the outline is closed within the grid.
fn emptied_margin(mut grid: Grid<f32>) -> Grid<f32> {
    let (width, height) = (grid.width, grid.height);
    for x in 0..width {
        grid.set(x, 0, 0.0);
        grid.set(x, height - 1, 0.0);
    }
    for y in 0..height {
        grid.set(0, y, 0.0);
        grid.set(width - 1, y, 0.0);
    }
    grid
}
