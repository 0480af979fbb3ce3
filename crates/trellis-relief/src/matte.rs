//! How much of each pixel belongs to the object.
//!
//! An alpha channel that holds a mask is believed as it is. Without one the background is removed
//! (`backdrop.rs`), or, when the caller wants it kept, the whole picture is the object.

use trellis_picture::Picture;

use crate::backdrop::{self, Removed};
use crate::decisions::{Decisions, MaskSource};
use crate::error::ReliefError;
use crate::grid::Grid;
use crate::resample::{largest, resample};
use crate::window::Window;

/// Object pixels by the picture's own alpha, by a matte of its own raster, or all of them.
pub(crate) enum Matte {
    /// The alpha channel; `full` (above 0) is the alpha taken as wholly covered.
    Alpha { full: f32 },
    /// Coverage from 0 to 1, over the whole picture on a coarser raster.
    Found(Grid<f32>),
    /// Everything.
    Whole,
}

/// An alpha of which nothing reaches this is as good as none; above it the faintest object is taken
/// relative to its own strongest pixel.
const FAINTEST_ALPHA: u8 = 8;

impl Matte {
    /// The matte of a picture, and what was decided to find it.
    pub(crate) fn of(picture: &Picture, remove_background: bool) -> Result<(Self, Decisions), ReliefError> {
        let alphas = || picture.pixels().iter().skip(3).step_by(4).copied();
        let strongest = alphas().max().unwrap_or(0);
        if picture.has_alpha() {
            if strongest < FAINTEST_ALPHA {
                return Err(ReliefError::Transparent);
            }
            let full = f32::from(strongest);
            return Ok((Self::Alpha { full }, Decisions::default()));
        }
        let alpha_ignored = alphas().any(|alpha| alpha != u8::MAX);
        if !remove_background {
            let decisions = Decisions {
                source: MaskSource::Whole,
                alpha_ignored,
                ..Decisions::default()
            };
            return Ok((Self::Whole, decisions));
        }
        let Removed {
            coverage,
            mut decisions,
        } = match backdrop::remove(picture) {
            // Nothing is to be seen behind an alpha of 0: that is what to mend.
            Err(ReliefError::OnlyBackground) if strongest < FAINTEST_ALPHA => {
                return Err(ReliefError::Transparent);
            }
            removed => removed?,
        };
        decisions.alpha_ignored = alpha_ignored;
        Ok((Self::Found(coverage), decisions))
    }

    /// The raster on which the coverage is known.
    pub(crate) fn raster(&self, picture: &Picture) -> (usize, usize) {
        match self {
            Self::Found(grid) => (grid.width, grid.height),
            Self::Alpha { .. } | Self::Whole => (picture.width() as usize, picture.height() as usize),
        }
    }

    /// Coverage 0 to 1 at a cell of [`Self::raster`].
    pub(crate) fn at(&self, picture: &Picture, x: usize, y: usize) -> f32 {
        match self {
            Self::Alpha { full } => {
                f32::from(picture.pixels()[4 * (y * picture.width() as usize + x) + 3]) / full
            }
            Self::Found(grid) => grid.at(x, y),
            Self::Whole => 1.0,
        }
    }

    /// Mean coverage of a window of [`Self::raster`] on a grid of `size`.
    pub(crate) fn mean(&self, picture: &Picture, window: Window, size: (usize, usize)) -> Grid<f32> {
        let read = |x, y| [self.at(picture, x, y)];
        resample(self.raster(picture), read, window, size).map(|[coverage]| coverage)
    }

    /// The same, but a cell that touches a covered pixel is covered: for lines thinner than a cell.
    pub(crate) fn touched(&self, picture: &Picture, window: Window, size: (usize, usize)) -> Grid<f32> {
        let read = |x, y| f32::from(u8::from(self.at(picture, x, y) >= 0.5));
        largest(self.raster(picture), read, window, size)
    }
}
