//! The part of a picture that holds the object.

use serde::Serialize;

/// A rectangle in picture pixels: pixel `i` covers `i` to `i + 1`. It may reach beyond the picture.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Window {
    /// Left side.
    pub left: f64,
    /// Upper side.
    pub top: f64,
    /// Width, above 0.
    pub width: f64,
    /// Height, above 0.
    pub height: f64,
}

impl Window {
    /// The same rectangle in a picture that is `across` and `down` times as wide and high.
    pub(crate) fn scaled(self, across: f64, down: f64) -> Self {
        Self {
            left: self.left * across,
            top: self.top * down,
            width: self.width * across,
            height: self.height * down,
        }
    }
}
