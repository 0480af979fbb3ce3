//! A picture on the raster on which its background is told from the object: colours, and the background's.

use trellis_picture::Picture;

use crate::colour::{Backdrop, Colour, NEAR, length};
use crate::grid::Grid;
use crate::resample::resample;
use crate::surface::Surface;
use crate::window::Window;

/// Cells along the longer side of the raster.
const LONGEST: f64 = 512.0;

/// Each cell's own colour and what lies behind it.
pub(crate) struct Scene<'a> {
    pub(crate) colours: &'a Grid<Colour>,
    pub(crate) backdrop: Backdrop,
}

impl<'a> Scene<'a> {
    /// The scene before the surfaces; each cell lies before the one nearest to its colour.
    pub(crate) fn new(colours: &'a Grid<Colour>, surfaces: &[Surface]) -> Self {
        let mut backdrop = colours.map(|colour| (colour, f32::INFINITY));
        for y in 0..colours.height {
            for x in 0..colours.width {
                let (place, colour) = (place(colours, x, y), colours.at(x, y));
                for surface in surfaces {
                    let behind = surface.at(place);
                    let distance = surface.deviations(behind, colour);
                    if distance < backdrop.at(x, y).1 {
                        backdrop.set(x, y, (behind, distance));
                    }
                }
            }
        }
        Self { colours, backdrop }
    }

    /// Whether a cell has the background's colour.
    pub(crate) fn is_near(&self, index: usize) -> bool {
        self.backdrop.values[index].1 <= NEAR
    }

    /// Adds these cells to the background, and all of its colour that hangs together with them.
    pub(crate) fn spread(&self, background: &mut Grid<bool>, mut open: Vec<usize>) {
        for index in &open {
            background.values[*index] = true;
        }
        while let Some(from) = open.pop() {
            for next in self.colours.neighbours(from) {
                if !background.values[next] && self.is_near(next) {
                    background.values[next] = true;
                    open.push(next);
                }
            }
        }
    }

    /// A cell's colour less the background's.
    pub(crate) fn residual(&self, index: usize) -> Colour {
        let (behind, colour) = (self.backdrop.values[index].0, self.colours.values[index]);
        [0, 1, 2].map(|channel| colour[channel] - behind[channel])
    }

    /// How far a cell's colour is from the background's, 0 to about 1.
    pub(crate) fn contrast(&self, index: usize) -> f32 {
        length(self.residual(index))
    }
}

/// Where a cell is, from −1 to 1 on both axes.
pub(crate) fn place(colours: &Grid<Colour>, x: usize, y: usize) -> [f32; 2] {
    [
        2.0 * (x as f32 + 0.5) / colours.width as f32 - 1.0,
        2.0 * (y as f32 + 0.5) / colours.height as f32 - 1.0,
    ]
}

/// The picture's colours on the raster.
pub(crate) fn colours(picture: &Picture) -> Grid<Colour> {
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
