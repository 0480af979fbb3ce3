//! The texture: the object's window of the picture, with no background left at the outline, and the back.
//!
//! Pixels at the edge are mixed with the background, so they count little, and their place and all around
//! is filled from the object's own colours (`bleed.rs`).

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use trellis_picture::Picture;

use crate::atlas::{Atlas, Chart};
use crate::back::unseen;
use crate::bleed::{Weighted, bleed};
use crate::error::ReliefError;
use crate::grid::Grid;
use crate::inflate::Inflated;
use crate::matte::Matte;
use crate::resample::resample;
use crate::window::Window;

/// JPEG quality: no blocks to be seen, a fifth of a PNG's size or less.
const QUALITY: u8 = 90;

/// A square texture: rows from the top, three bytes (red, green, blue) a texel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Texture {
    /// Texels along each side.
    pub size: u32,
    /// `3 × size × size` bytes.
    pub texels: Vec<u8>,
}

impl Texture {
    /// The media type of [`Self::encoded`].
    pub(crate) const MEDIA_TYPE: &'static str = "image/jpeg";

    /// As a JPEG file.
    pub(crate) fn encoded(&self) -> Result<Vec<u8>, ReliefError> {
        let side = self.size as u16;
        let mut out = Vec::with_capacity(self.texels.len() / 8);
        let mut encoder = Encoder::new(&mut out, QUALITY);
        encoder.set_sampling_factor(SamplingFactor::F_2_2);
        encoder
            .encode(&self.texels, side, side, ColorType::Rgb)
            .map_err(|source| ReliefError::Texture { source })?;
        Ok(out)
    }

    /// Sets the texels of a chart: for each row, told by its number and its place (0 to 1), the colour of a column.
    fn paint<Row: Fn(usize) -> [f32; 3]>(&mut self, chart: &Chart, row: impl Fn(usize, f32) -> Row) {
        let side = self.size as usize;
        let [[left, top], [width, height]] = chart.texels(side);
        for y in 0..height {
            let colour = row(y, (y as f32 + 0.5) / height as f32);
            let texels = &mut self.texels[3 * ((top + y) * side + left)..][..3 * width];
            for (x, texel) in texels.chunks_exact_mut(3).enumerate() {
                texel.copy_from_slice(&colour(x).map(|value| (value + 0.5) as u8));
            }
        }
    }

    /// The nearest texel, red, green and blue.
    pub(crate) fn at(&self, [u, v]: [f32; 2]) -> [u8; 3] {
        let place = |along: f32| ((along * self.size as f32) as usize).min(self.size as usize - 1);
        let first = 3 * (place(v) * self.size as usize + place(u));
        [self.texels[first], self.texels[first + 1], self.texels[first + 2]]
    }
}

/// What the front is made of.
pub(crate) struct Source<'a> {
    pub(crate) picture: &'a Picture,
    pub(crate) matte: &'a Matte,
    pub(crate) window: Window,
}

impl Source<'_> {
    /// The picture's width and height.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.picture.width() as usize, self.picture.height() as usize)
    }

    /// A pixel, as far as its colour is the object's own.
    pub(crate) fn weighted(&self, x: usize, y: usize) -> Weighted {
        let at = 4 * (y * self.picture.width() as usize + x);
        let weight = trust(self.picture, self.matte, x, y);
        let colour = |channel: usize| f32::from(self.picture.pixels()[at + channel]) * weight;
        [colour(0), colour(1), colour(2), weight]
    }
}

/// Makes the texture, `size` texels a side: the picture in the front's chart, in the back's what it does not show.
pub(crate) fn texture(source: &Source<'_>, inflated: &Inflated, atlas: &Atlas, size: u32) -> Texture {
    let side = size as usize;
    let mut texture = Texture {
        size,
        texels: vec![0; 3 * side * side],
    };
    let [_, [width, height]] = atlas.front.texels(side);
    let read = |x: usize, y: usize| source.weighted(x, y);
    let front = resample(source.size(), read, source.window, (width, height));
    let unseen = unseen(&front, inflated);
    let front = bleed(front);
    let (shares, sides) = (
        Stretched::new(&unseen.share, width),
        Stretched::new(&unseen.sides, width),
    );
    texture.paint(&atlas.front, |y, place| {
        let (share, side) = (
            shares.row(place, |share| [share]),
            sides.row(place, |colour| colour),
        );
        let own = &front.values[y * width..][..width];
        let (shares, sides) = (&shares, &sides);
        move |x| {
            let [share] = shares.at(&share, x);
            let [red, green, blue, _] = own[x];
            if share <= 0.0 {
                return [red, green, blue];
            }
            let side = sides.at(&side, x);
            [0, 1, 2].map(|channel| own[x][channel] + share * (side[channel] - own[x][channel]))
        }
    });
    let [_, [width, _]] = atlas.back.texels(side);
    let back = Stretched::new(&unseen.back, width);
    texture.paint(&atlas.back, |_, place| {
        let (row, back) = (back.row(place, |colour| colour), &back);
        move |x| {
            let [red, green, blue, _] = back.at(&row, x);
            [red, green, blue]
        }
    });
    texture
}

/// A grid stretched over a chart, linear between its cells; made row by row.
struct Stretched<'a, T> {
    grid: &'a Grid<T>,
    /// For each texel of a row the cells around it, and the share of the second.
    across: Vec<Between>,
}

type Between = (usize, usize, f32);

impl<'a, T: Copy> Stretched<'a, T> {
    fn new(grid: &'a Grid<T>, width: usize) -> Self {
        let place = |x: usize| (x as f32 + 0.5) / width as f32;
        let across = (0..width).map(|x| between(place(x), grid.width)).collect();
        Self { grid, across }
    }

    /// The cells of the row at a place from 0 to 1.
    fn row<const N: usize>(&self, place: f32, channels: impl Fn(T) -> [f32; N]) -> Vec<[f32; N]> {
        let (above, below, share) = between(place, self.grid.height);
        let row = |y: usize| self.grid.values[y * self.grid.width..][..self.grid.width].iter();
        let both = row(above).zip(row(below));
        both.map(|(above, below)| mixed(channels(*above), channels(*below), share))
            .collect()
    }

    /// A texel of such a row.
    fn at<const N: usize>(&self, row: &[[f32; N]], x: usize) -> [f32; N] {
        let (left, right, share) = self.across[x];
        mixed(row[left], row[right], share)
    }
}

/// The cells around a place from 0 to 1 along a line of `size` cells, and the share of the second.
fn between(place: f32, size: usize) -> Between {
    let at = (place * size as f32 - 0.5).clamp(0.0, (size - 1) as f32);
    (at as usize, (at as usize + 1).min(size - 1), at.fract())
}

fn mixed<const N: usize>(one: [f32; N], other: [f32; N], share: f32) -> [f32; N] {
    std::array::from_fn(|channel| one[channel] + share * (other[channel] - one[channel]))
}

/// How much a pixel's colour is the object's own, 0 to 1.
fn trust(picture: &Picture, matte: &Matte, x: usize, y: usize) -> f32 {
    let smooth = |low: f32, high: f32, value: f32| {
        let t = ((value - low) / (high - low)).clamp(0.0, 1.0);
        t * t * (3.0 - 2.0 * t)
    };
    match matte {
        Matte::Whole => 1.0,
        // By definition the colours of an alpha picture are not mixed; by practice many are.
        Matte::Alpha { .. } => {
            let coverage = matte.at(picture, x, y);
            0.98 * smooth(0.4, 0.95, coverage) + 0.02 * coverage
        }
        Matte::Found(grid) => {
            let across = (x as f32 + 0.5) * grid.width as f32 / picture.width() as f32 - 0.5;
            let down = (y as f32 + 0.5) * grid.height as f32 / picture.height() as f32 - 0.5;
            let coverage = grid.linear(across, down);
            0.999 * smooth(0.8, 1.0, coverage) + 0.001 * coverage
        }
    }
}
