//! Removes a plain background by classical means.
//!
//! 1. The colours along the border are fitted by one or two smooth surfaces (a quadratic in x and y for
//!    each channel, robustly, `surface.rs`): a plain wall, a gradient, a wall above a table.
//! 2. What looks like a surface and hangs together with the border is background; so are soft shadows
//!    next to it, and large enclosed areas of exactly its colour (the hole of a ring).
//! 3. Cells at the edge get the share of object colour in their mixture.
//!
//! Not here: pictures with an alpha channel (`matte.rs`).

use trellis_picture::Picture;

use crate::error::ReliefError;
use crate::grid::Grid;
use crate::parts;
use crate::resample::resample;
use crate::shadow;
use crate::surface::Surface;
use crate::window::Window;

/// Cells along the longer side of the raster on which the background is told from the object.
const LONGEST: f64 = 512.0;
/// Shares of the border that one and all surfaces must explain.
const SECOND_SURFACE: f64 = 0.25;
const EXPLAINED: f64 = 0.5;
/// Cells of the border that are looked at, at most.
const MOST_SAMPLES: usize = 6000;
/// Distance in deviations up to which a colour is the background's.
pub(crate) const NEAR: f32 = 4.5;
/// The same for enclosed areas, which may as well be a white patch of the object.
const EXACT: f32 = 2.0;
/// Share of the picture from which an enclosed area of the background's colour is a hole.
const HOLE_SHARE: f64 = 0.0015;
/// Shares of the picture between which an object is believed.
const LEAST_OBJECT: f64 = 0.0005;
const MOST_OBJECT: f64 = 0.97;

/// Brightness and two colour differences, each 0 to 1 or −½ to ½: distances in it are roughly as seen.
pub(crate) type Colour = [f32; 3];

/// Coverage of the object over the whole picture.
pub(crate) fn remove(picture: &Picture) -> Result<Grid<f32>, ReliefError> {
    let colours = colours(picture);
    let surfaces = surfaces(&colours)?;
    let backdrop = nearest_surface(&colours, &surfaces);
    let mut background = reached(&colours, &backdrop);
    shadow::take_back_objects(&mut background, &colours, &backdrop);
    add_holes(&mut background, &backdrop);
    let mut object = background.map(|background| !background);
    drop_crumbs(&mut object);
    let share = object.values.iter().filter(|inside| **inside).count() as f64 / object.values.len() as f64;
    if share < LEAST_OBJECT {
        return Err(ReliefError::OnlyBackground);
    }
    if share > MOST_OBJECT {
        return Err(ReliefError::BusyBackground);
    }
    Ok(mixture(&colours, &backdrop, &object))
}

/// A cell's background colour and how far, in deviations, its own colour is from it.
pub(crate) type Backdrop = Grid<(Colour, f32)>;

fn colours(picture: &Picture) -> Grid<Colour> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let step = (width.max(height) as f64 / LONGEST).max(1.0);
    let size = (
        (width as f64 / step).round().max(1.0),
        (height as f64 / step).round().max(1.0),
    );
    let pixels = picture.pixels();
    let read = |x: usize, y: usize| {
        let at = 4 * (y * width + x);
        [pixels[at], pixels[at + 1], pixels[at + 2]].map(f32::from)
    };
    let whole = Window {
        left: 0.0,
        top: 0.0,
        width: width as f64,
        height: height as f64,
    };
    resample((width, height), read, whole, (size.0 as usize, size.1 as usize)).map(|[red, green, blue]| {
        let brightness = (0.299 * red + 0.587 * green + 0.114 * blue) / 255.0;
        [
            brightness,
            0.564 * (blue / 255.0 - brightness),
            0.713 * (red / 255.0 - brightness),
        ]
    })
}

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
    let explained = (border.len() - unexplained.len()) as f64;
    if found.is_empty() || explained < border.len() as f64 * EXPLAINED {
        return Err(ReliefError::BusyBackground);
    }
    Ok(found)
}

/// Where a cell is, from −1 to 1 on both axes.
fn place(colours: &Grid<Colour>, x: usize, y: usize) -> [f32; 2] {
    [
        2.0 * (x as f32 + 0.5) / colours.width as f32 - 1.0,
        2.0 * (y as f32 + 0.5) / colours.height as f32 - 1.0,
    ]
}

fn nearest_surface(colours: &Grid<Colour>, surfaces: &[Surface]) -> Backdrop {
    let mut out = colours.map(|colour| (colour, f32::INFINITY));
    for y in 0..colours.height {
        for x in 0..colours.width {
            let (place, colour) = (place(colours, x, y), colours.at(x, y));
            for surface in surfaces {
                let behind = surface.at(place);
                let distance = surface.deviations(behind, colour);
                if distance < out.at(x, y).1 {
                    out.set(x, y, (behind, distance));
                }
            }
        }
    }
    out
}

/// The background that hangs together with the border.
fn reached(colours: &Grid<Colour>, backdrop: &Backdrop) -> Grid<bool> {
    let mut background = colours.map(|_| false);
    let (width, height) = (colours.width, colours.height);
    let mut open = Vec::new();
    for index in 0..width * height {
        let (x, y) = (index % width, index / width);
        let on_border = x == 0 || y == 0 || x + 1 == width || y + 1 == height;
        if on_border && backdrop.values[index].1 <= NEAR {
            background.values[index] = true;
            open.push(index);
        }
    }
    while let Some(from) = open.pop() {
        for next in colours.neighbours(from) {
            if background.values[next] {
                continue;
            }
            let (behind, distance) = backdrop.values[next];
            let colour = colours.values[next];
            if distance <= NEAR || shadow::goes_on(colour, behind, colours.values[from]) {
                background.values[next] = true;
                open.push(next);
            }
        }
    }
    background
}

fn add_holes(background: &mut Grid<bool>, backdrop: &Backdrop) {
    let exact = Grid {
        width: background.width,
        height: background.height,
        values: background
            .values
            .iter()
            .zip(&backdrop.values)
            .map(|(background, (_, distance))| !background && *distance <= EXACT)
            .collect(),
    };
    let found = parts::parts(&exact, false);
    let least = (background.values.len() as f64 * HOLE_SHARE).max(4.0) as usize;
    for (index, label) in found.labels.values.iter().enumerate() {
        if *label != 0 && found.sizes[*label as usize - 1] >= least {
            background.values[index] = true;
        }
    }
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

/// The share of object in each cell: 0 and 1 away from the edge, at it by the mixture of the colours.
fn mixture(colours: &Grid<Colour>, backdrop: &Backdrop, object: &Grid<bool>) -> Grid<f32> {
    let solid = eroded(&eroded(object));
    let empty = eroded(&object.map(|inside| !inside));
    let mut out = object.map(|inside| f32::from(u8::from(inside)));
    for y in 0..object.height {
        for x in 0..object.width {
            if solid.at(x, y) || empty.at(x, y) {
                continue;
            }
            let Some(full) = mean_around(colours, &solid, x, y) else {
                continue;
            };
            let (none, colour) = (backdrop.at(x, y).0, colours.at(x, y));
            let (mut along, mut length) = (0.0, 0.0);
            for channel in 0..3 {
                along += (colour[channel] - none[channel]) * (full[channel] - none[channel]);
                length += (full[channel] - none[channel]).powi(2);
            }
            if length > 0.0025 {
                out.set(x, y, (along / length).clamp(0.0, 1.0));
            }
        }
    }
    out
}

/// The cells whose eight neighbours are all in the mask; beyond the picture counts as in.
fn eroded(mask: &Grid<bool>) -> Grid<bool> {
    let (width, height) = (mask.width, mask.height);
    let mut across = mask.clone();
    for (out, row) in across
        .values
        .chunks_exact_mut(width)
        .zip(mask.values.chunks_exact(width))
    {
        for x in 1..width {
            out[x] &= row[x - 1];
            out[x - 1] &= row[x];
        }
    }
    let mut out = across.clone();
    for y in 1..height {
        for x in 0..width {
            out.values[y * width + x] &= across.values[(y - 1) * width + x];
            out.values[(y - 1) * width + x] &= across.values[y * width + x];
        }
    }
    out
}

fn mean_around(colours: &Grid<Colour>, solid: &Grid<bool>, x: usize, y: usize) -> Option<Colour> {
    const REACH: usize = 4;
    let (mut sum, mut count) = ([0.0; 3], 0.0);
    for row in y.saturating_sub(REACH)..(y + REACH + 1).min(colours.height) {
        for column in x.saturating_sub(REACH)..(x + REACH + 1).min(colours.width) {
            if solid.at(column, row) {
                let colour = colours.at(column, row);
                (0..3).for_each(|channel| sum[channel] += colour[channel]);
                count += 1.0;
            }
        }
    }
    (count > 0.0).then(|| sum.map(|channel| channel / count))
}
