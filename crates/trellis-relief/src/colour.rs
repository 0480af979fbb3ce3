//! Colours as the background is told from the object by them.

use crate::grid::Grid;

/// Distance in deviations up to which a colour is the background's.
pub(crate) const NEAR: f32 = 4.5;

/// Brightness and two colour differences, each 0 to 1 or −½ to ½: distances in it are roughly as seen.
pub(crate) type Colour = [f32; 3];

/// A cell's background colour and how far, in deviations, its own colour is from it.
pub(crate) type Backdrop = Grid<(Colour, f32)>;

/// The length of a colour difference.
pub(crate) fn length(difference: Colour) -> f32 {
    difference.iter().map(|value| value * value).sum::<f32>().sqrt()
}
