//! Where an object's points are, and whether that can be meant.

use super::{Unfit, implausible};

/// The farthest that a coordinate may be from zero. Assets are about one unit large, and an STL has millimetres.
pub(super) const FARTHEST: f64 = 1e6;
/// The least that the longest side of an object may have.
const SMALLEST: f64 = 1e-6;

/// The box around the points so far.
#[derive(Debug)]
pub(super) struct Extent {
    low: [f64; 3],
    high: [f64; 3],
}

impl Extent {
    pub(super) fn new() -> Self {
        Self {
            low: [f64::INFINITY; 3],
            high: [f64::NEG_INFINITY; 3],
        }
    }

    pub(super) fn add(&mut self, point: [f64; 3]) -> Result<(), Unfit> {
        for (axis, value) in point.into_iter().enumerate() {
            if !value.is_finite() {
                return Err(implausible("a vertex has a position that is not a number"));
            }
            if value.abs() > FARTHEST {
                return Err(implausible(format!("a vertex is {value:.0e} from the middle")));
            }
            self.low[axis] = self.low[axis].min(value);
            self.high[axis] = self.high[axis].max(value);
        }
        Ok(())
    }

    /// Whether the points are apart.
    pub(super) fn finish(&self) -> Result<(), Unfit> {
        let longest = (0..3)
            .map(|axis| self.high[axis] - self.low[axis])
            .fold(0.0, f64::max);
        if longest < SMALLEST {
            return Err(implausible("all its vertices are in one place"));
        }
        Ok(())
    }
}
