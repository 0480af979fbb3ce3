//! Photographs and renderings, made by code: an object with its true mask, set before some background.

use image::{Rgb, RgbImage};
use trellis_picture::{Picture, decode};

use crate::kit::MAX_PIXELS;

/// Pixels along each side of a picture, if nothing else is said.
const SIDE: u32 = 240;

/// A colour, each channel from 0 to 255.
pub(crate) type Colour = [f64; 3];
/// A layer's colour at a point, `None` where it is not; both axes from 0 to 1, y down.
pub(crate) type Layer = Box<dyn Fn(f64, f64) -> Option<Colour>>;

/// Layers one above the other; what one of them covers is the object.
pub(crate) struct Object(pub(crate) Vec<Layer>);

/// A soft or hard shadow: the object's own outline, sheared away from its foot.
#[derive(Clone, Copy)]
pub(crate) struct Shadow {
    /// How far it falls sideways for each unit of height, and how much of the height is left.
    pub(crate) across: f64,
    pub(crate) flat: f64,
    /// Where the object's foot is.
    pub(crate) foot: f64,
    /// Half the width of its edge; 0 is a hard one.
    pub(crate) blur: f64,
    /// The share of light that it takes.
    pub(crate) depth: f64,
}

/// A picture with what is the object in it.
pub(crate) struct Shot {
    pub(crate) picture: Picture,
    pub(crate) truth: Vec<bool>,
}

/// How an object is photographed.
pub(crate) struct Studio {
    pub(crate) size: (u32, u32),
    pub(crate) wall: Box<dyn Fn(f64, f64) -> Colour>,
    pub(crate) shadow: Option<Shadow>,
    /// Noise in levels, the same in all channels.
    pub(crate) noise: f64,
    /// Quality as a JPEG; `None` keeps the pixels.
    pub(crate) jpeg: Option<u8>,
}

impl Studio {
    pub(crate) fn plain(wall: Colour) -> Self {
        Self::new(move |_, _| wall)
    }

    pub(crate) fn new(wall: impl Fn(f64, f64) -> Colour + 'static) -> Self {
        Self {
            size: (SIDE, SIDE),
            wall: Box::new(wall),
            shadow: None,
            noise: 0.0,
            jpeg: None,
        }
    }

    pub(crate) fn sized(mut self, side: u32) -> Self {
        self.size = (side, side);
        self
    }

    pub(crate) fn noise(mut self, levels: f64) -> Self {
        self.noise = levels;
        self
    }

    pub(crate) fn jpeg(mut self, quality: u8) -> Self {
        self.jpeg = Some(quality);
        self
    }

    pub(crate) fn shadow(mut self, shadow: Shadow) -> Self {
        self.shadow = Some(shadow);
        self
    }

    pub(crate) fn shot(&self, object: &Object) -> Shot {
        let (width, height) = self.size;
        let drawn = Drawn::of(object, self.size);
        let shadow = self.shadow.map(|shadow| (shadow.depth, shadow.of(&drawn)));
        let image = RgbImage::from_fn(width, height, |x, y| {
            let (across, down) = (f64::from(x) + 0.5, f64::from(y) + 0.5);
            let (across, down) = (across / f64::from(width), down / f64::from(height));
            let index = (y * width + x) as usize;
            let light = shadow
                .as_ref()
                .map_or(1.0, |(depth, cells)| 1.0 - depth * cells[index]);
            let (own, share) = drawn.cells[index];
            let wall = (self.wall)(across, down);
            let grain = self.noise * (noise(x, y) - 0.5) * 2.0;
            Rgb([0, 1, 2].map(|channel| {
                let value = own[channel] + (1.0 - share) * wall[channel] * light + grain;
                value.round().clamp(0.0, 255.0) as u8
            }))
        });
        Shot {
            picture: self.decoded(&image),
            truth: drawn.cells.iter().map(|(_, share)| *share > 0.5).collect(),
        }
    }

    fn decoded(&self, image: &RgbImage) -> Picture {
        let (width, height) = image.dimensions();
        let Some(quality) = self.jpeg else {
            let pixels = image
                .pixels()
                .flat_map(|Rgb([red, green, blue])| [*red, *green, *blue, u8::MAX]);
            return Picture::from_rgba8(width, height, pixels.collect())
                .expect("there are as many bytes as pixels");
        };
        let mut bytes = Vec::new();
        jpeg_encoder::Encoder::new(&mut bytes, quality)
            .encode(image, width as u16, height as u16, jpeg_encoder::ColorType::Rgb)
            .expect("a picture in memory is written");
        decode(&bytes, MAX_PIXELS).expect("the picture is whole")
    }
}

/// An object on a picture's pixels: its colour times its share of each, and that share.
struct Drawn {
    size: (u32, u32),
    cells: Vec<(Colour, f64)>,
}

impl Drawn {
    fn of(object: &Object, size: (u32, u32)) -> Self {
        let place = |pixel: u32, sub: u32, size: u32| {
            (f64::from(pixel) + (f64::from(sub) + 0.5) / 3.0) / f64::from(size)
        };
        let cells = (0..size.0 * size.1).map(|index| {
            let (x, y) = (index % size.0, index / size.0);
            let (mut sum, mut covered) = ([0.0; 3], 0);
            for sub in 0..9 {
                if let Some(colour) = object.at(place(x, sub % 3, size.0), place(y, sub / 3, size.1)) {
                    covered += 1;
                    (0..3).for_each(|channel| sum[channel] += colour[channel] / 9.0);
                }
            }
            (sum, f64::from(covered) / 9.0)
        });
        Self {
            size,
            cells: cells.collect(),
        }
    }

    fn covers(&self, x: f64, y: f64) -> bool {
        let within = (0.0..1.0).contains(&x) && (0.0..1.0).contains(&y);
        let (column, row) = (
            (x * f64::from(self.size.0)) as usize,
            (y * f64::from(self.size.1)) as usize,
        );
        within && self.cells[row * self.size.0 as usize + column].1 > 0.5
    }
}

impl Shadow {
    /// How much of the shadow is at each pixel, 0 to 1.
    fn of(&self, drawn: &Drawn) -> Vec<f64> {
        let (width, height) = (drawn.size.0 as usize, drawn.size.1 as usize);
        let cast = |index: usize| {
            let x = ((index % width) as f64 + 0.5) / width as f64;
            let y = ((index / width) as f64 + 0.5) / height as f64;
            let up = (self.foot - y) / self.flat;
            f64::from(u32::from(
                up > -0.03 && drawn.covers(x - self.across * up, self.foot - up),
            ))
        };
        let mut cells: Vec<f64> = (0..width * height).map(cast).collect();
        if self.blur == 0.0 {
            return cells;
        }
        // The mean over a square, along the rows and then along the columns.
        for (lines, line, next, size) in [(height, width, 1, width), (width, 1, width, height)] {
            let reach = (self.blur * size as f64).round() as usize;
            for first in (0..lines).map(|number| number * line) {
                let row: Vec<f64> = (0..size).map(|at| cells[first + at * next]).collect();
                for at in 0..size {
                    let sum: f64 = row[at.saturating_sub(reach)..(at + reach + 1).min(size)]
                        .iter()
                        .sum();
                    cells[first + at * next] = sum / (2 * reach + 1) as f64;
                }
            }
        }
        cells
    }
}

impl Object {
    pub(crate) fn at(&self, x: f64, y: f64) -> Option<Colour> {
        self.0.iter().rev().find_map(|layer| layer(x, y))
    }

    pub(crate) fn with(
        mut self,
        shape: impl Fn(f64, f64) -> bool + 'static,
        colour: impl Fn(f64, f64) -> Colour + 'static,
    ) -> Self {
        self.0
            .push(Box::new(move |x, y| shape(x, y).then(|| colour(x, y))));
        self
    }
}

pub(crate) fn flat(colour: Colour) -> impl Fn(f64, f64) -> Colour {
    move |_, _| colour
}

/// Lit from the upper left, darker to the right and below.
pub(crate) fn lit(colour: Colour) -> impl Fn(f64, f64) -> Colour {
    move |x, y| colour.map(|value| value * (1.15 - 0.35 * x - 0.25 * y).min(1.0))
}

pub(crate) fn boxed(left: f64, top: f64, right: f64, bottom: f64) -> impl Fn(f64, f64) -> bool {
    move |x, y| (left..right).contains(&x) && (top..bottom).contains(&y)
}

pub(crate) fn disc(across: f64, down: f64, radius: f64) -> impl Fn(f64, f64) -> bool {
    move |x, y| (x - across).hypot(y - down) < radius
}

pub(crate) fn ring(across: f64, down: f64, inner: f64, outer: f64) -> impl Fn(f64, f64) -> bool {
    move |x, y| (inner..outer).contains(&(x - across).hypot(y - down))
}

/// A value from 0 to 1 that looks like chance, the same for the same cell.
pub(crate) fn noise(x: u32, y: u32) -> f64 {
    let mut bits = x.wrapping_mul(0x9E37_79B1) ^ y.wrapping_mul(0x85EB_CA77);
    bits = (bits ^ (bits >> 15)).wrapping_mul(0x2C1B_3C6D);
    bits = (bits ^ (bits >> 12)).wrapping_mul(0x297A_2D39);
    f64::from((bits ^ (bits >> 15)) & 0xFFFF) / 65535.0
}

pub(crate) fn empty() -> Object {
    Object(Vec::new())
}

/// A mug with a handle to look through.
pub(crate) fn mug(colour: Colour) -> Object {
    empty()
        .with(ring(0.68, 0.5, 0.1, 0.15), lit(colour))
        .with(boxed(0.25, 0.25, 0.65, 0.78), lit(colour))
}

/// The same with a label that lies on it or reaches its outline.
pub(crate) fn labelled(colour: Colour, label: Colour, from: f64) -> Object {
    mug(colour).with(boxed(from, 0.38, 0.5, 0.62), flat(label))
}

pub(crate) fn doughnut(colour: Colour) -> Object {
    empty().with(ring(0.5, 0.5, 0.13, 0.33), move |x, y| {
        let around = ((x - 0.5).hypot(y - 0.5) - 0.23).abs() / 0.1;
        colour.map(|value| value * (1.0 - 0.35 * around * around))
    })
}

pub(crate) fn chair(colour: Colour) -> Object {
    empty()
        .with(boxed(0.3, 0.12, 0.35, 0.9), lit(colour))
        .with(boxed(0.65, 0.12, 0.7, 0.9), lit(colour))
        .with(boxed(0.3, 0.12, 0.7, 0.18), lit(colour))
        .with(boxed(0.3, 0.3, 0.7, 0.36), lit(colour))
        .with(boxed(0.27, 0.5, 0.73, 0.6), lit(colour.map(|value| value * 0.8)))
}

/// A lantern whose light is as white as paper in its middle.
pub(crate) fn lantern() -> Object {
    let glow = |x: f64, y: f64| {
        let away = ((x - 0.5).hypot((y - 0.5) * 0.8) / 0.2).min(1.0);
        [255.0, 255.0 - 150.0 * away * away, 255.0 - 60.0 * away * away]
    };
    let mut out = empty()
        .with(boxed(0.3, 0.25, 0.7, 0.75), glow)
        .with(boxed(0.24, 0.15, 0.76, 0.26), lit([60.0, 90.0, 120.0]))
        .with(boxed(0.24, 0.74, 0.76, 0.86), lit([60.0, 90.0, 120.0]));
    for bar in [0.3, 0.44, 0.67] {
        out = out.with(boxed(bar, 0.25, bar + 0.03, 0.75), lit([170.0, 90.0, 50.0]));
    }
    out
}

/// A ball whose gloss is as white as paper.
pub(crate) fn ball(colour: Colour) -> Object {
    empty().with(disc(0.5, 0.5, 0.34), move |x, y| {
        let gloss = (1.6 - (x - 0.42).hypot(y - 0.4) / 0.11).clamp(0.0, 1.0);
        colour.map(|value| value + (255.0 - value) * gloss)
    })
}

/// A white shirt, its folds faint, on trousers, with a head.
pub(crate) fn person(shirt: Colour) -> Object {
    let folds = move |x: f64, y: f64| {
        let fold = ((x * 60.0 + y * 9.0).sin() * 0.5 + 0.5).powi(3);
        shirt.map(|value| value - 26.0 * fold)
    };
    empty()
        .with(boxed(0.4, 0.6, 0.6, 0.92), lit([50.0, 60.0, 90.0]))
        .with(boxed(0.3, 0.3, 0.7, 0.62), lit([190.0, 60.0, 60.0]))
        .with(boxed(0.38, 0.32, 0.62, 0.6), folds)
        .with(disc(0.5, 0.21, 0.1), lit([220.0, 170.0, 140.0]))
}

/// A toy of several colours, neutral grey among them.
pub(crate) fn robot() -> Object {
    empty()
        .with(boxed(0.35, 0.15, 0.65, 0.4), lit([70.0, 180.0, 210.0]))
        .with(boxed(0.42, 0.2, 0.6, 0.35), lit([190.0, 188.0, 186.0]))
        .with(boxed(0.38, 0.4, 0.62, 0.65), lit([150.0, 150.0, 152.0]))
        .with(boxed(0.4, 0.65, 0.47, 0.85), lit([230.0, 140.0, 40.0]))
        .with(boxed(0.53, 0.65, 0.6, 0.85), lit([230.0, 140.0, 40.0]))
        .with(boxed(0.37, 0.82, 0.48, 0.88), lit([120.0, 120.0, 125.0]))
        .with(boxed(0.52, 0.82, 0.63, 0.88), lit([120.0, 120.0, 125.0]))
}
