//! The mask by itself: what of a picture is taken for the object, without making a model of it.

use trellis_core::Params;
use trellis_picture::Picture;

use crate::coverage::coverage;
use crate::decisions::MaskSource;
use crate::error::ReliefError;
use crate::matte::Matte;

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
