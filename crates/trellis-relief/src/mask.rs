//! The mask by itself: what of a picture is taken for the object, without making a model of it.

use trellis_core::Params;
use trellis_picture::Picture;

use crate::coverage::coverage;
use crate::decisions::MaskSource;
use crate::error::ReliefError;
use crate::matte::Matte;
use crate::resample::resample;
use crate::window::Window;

/// What of a picture is the object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask {
    /// Cells in a row, at least 1; the cells lie over the whole picture.
    pub width: u32,
    /// Rows, at least 1.
    pub height: u32,
    /// The object's share of each cell, row by row from the top: 0 is none of it, 255 all.
    pub coverage: Vec<u8>,
    /// Where it comes from.
    pub source: MaskSource,
    /// What a person should know of it.
    pub notes: Vec<String>,
}

/// Rows that are sampled at a time.
const BAND: usize = 64;

/// The mask as an alpha channel, a value for each pixel, where the picture's background is removed unless it has a mask.
pub fn alpha(picture: &Picture) -> Result<(Vec<u8>, MaskSource), ReliefError> {
    let (matte, decisions) = Matte::of(picture, true)?;
    // Whether there is an object in it.
    coverage(picture, &matte)?;
    let size = (picture.width() as usize, picture.height() as usize);
    let raster = matte.raster(picture);
    let mut alpha = Vec::with_capacity(size.0 * size.1);
    if raster == size {
        let pixels = (0..size.0 * size.1).map(|index| matte.at(picture, index % size.0, index / size.0));
        alpha.extend(pixels.map(|share| (share * 255.0).round() as u8));
    } else {
        // A cell more on each side: what touches the picture's border does not fade there.
        let padded = (raster.0 + 2, raster.1 + 2);
        let inner = |at: usize, count: usize| at.saturating_sub(1).min(count - 1);
        let read = |x, y| [matte.at(picture, inner(x, raster.0), inner(y, raster.1))];
        let step = raster.1 as f64 / size.1 as f64;
        for top in (0..size.1).step_by(BAND) {
            let rows = BAND.min(size.1 - top);
            let window = Window {
                left: 1.0,
                top: 1.0 + top as f64 * step,
                width: raster.0 as f64,
                height: rows as f64 * step,
            };
            let band = resample(padded, read, window, (size.0, rows));
            alpha.extend(band.values.iter().map(|[share]| (share * 255.0).round() as u8));
        }
    }
    Ok((alpha, decisions.source))
}

/// The mask from which [`crate::model`] makes its model.
pub fn mask(picture: &Picture, params: &Params) -> Result<Mask, ReliefError> {
    let (matte, decisions) = Matte::of(picture, params.remove_background)?;
    let notes = coverage(picture, &matte)?.facts.notes(&decisions);
    let (width, height) = matte.raster(picture);
    let cells = (0..width * height).map(|index| matte.at(picture, index % width, index / width));
    Ok(Mask {
        width: width as u32,
        height: height as u32,
        coverage: cells.map(|share| (share * 255.0).round() as u8).collect(),
        source: decisions.source,
        notes,
    })
}
