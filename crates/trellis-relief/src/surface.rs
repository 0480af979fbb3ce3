//! A smooth surface of colour over the picture: for each channel a quadratic in x and y.
//!
//! Fitted by iteratively reweighted least squares with Tukey's weights, so that an object which touches
//! the border, or a second surface, does not bend it.

use crate::colour::Colour;

/// Terms: 1, x, y, x², xy, y².
const TERMS: usize = 6;
/// Rounds of reweighting.
const ROUNDS: usize = 8;
/// Tukey's cut-off in deviations, and the deviation below which noise is not believed (0 to 1).
const CUT_OFF: f32 = 4.0;
const LEAST_DEVIATION: [f32; 3] = [0.012, 0.008, 0.008];

/// The surface.
#[derive(Debug, Clone)]
pub(crate) struct Surface {
    coefficients: [[f32; TERMS]; 3],
    deviation: Colour,
}

impl Surface {
    /// The surface through most of the samples, each a place (−1 to 1 on both axes) and its colour.
    pub(crate) fn fit(samples: &[([f32; 2], Colour)]) -> Self {
        let start = [0, 1, 2].map(|channel| median(samples.iter().map(|(_, colour)| colour[channel])));
        let mut surface = Self {
            coefficients: start.map(|level| [level, 0.0, 0.0, 0.0, 0.0, 0.0]),
            deviation: [0.0; 3],
        };
        surface.deviation = surface.spread(samples);
        for round in 0..ROUNDS {
            // The slopes first: a quadratic would follow whatever disturbs the border at the start.
            let terms = if round < ROUNDS / 2 { 3 } else { TERMS };
            surface.refit(samples, terms);
            surface.deviation = surface.spread(samples);
        }
        surface
    }

    /// The colour at a place.
    pub(crate) fn at(&self, place: [f32; 2]) -> Colour {
        let terms = terms(place);
        self.coefficients
            .map(|line| line.iter().zip(terms).map(|(factor, term)| factor * term).sum())
    }

    /// How far the colours stray from it in brightness, as a deviation.
    pub(crate) fn unevenness(&self) -> f32 {
        self.deviation[0]
    }

    /// How many deviations a colour is from the surface at a place.
    pub(crate) fn distance(&self, place: [f32; 2], colour: Colour) -> f32 {
        self.deviations(self.at(place), colour)
    }

    /// How many deviations a colour is from the surface's own.
    pub(crate) fn deviations(&self, expected: Colour, colour: Colour) -> f32 {
        (0..3)
            .map(|channel| ((colour[channel] - expected[channel]) / self.deviation[channel]).powi(2))
            .sum::<f32>()
            .sqrt()
    }

    /// The median distance in each channel, as a standard deviation.
    fn spread(&self, samples: &[([f32; 2], Colour)]) -> Colour {
        [0, 1, 2].map(|channel| {
            let off =
                |(place, colour): &([f32; 2], Colour)| (colour[channel] - self.at(*place)[channel]).abs();
            (1.48 * median(samples.iter().map(off))).clamp(LEAST_DEVIATION[channel], 0.06)
        })
    }

    fn refit(&mut self, samples: &[([f32; 2], Colour)], used: usize) {
        let mut normal = [[0.0_f64; TERMS]; TERMS];
        let mut right = [[0.0_f64; TERMS]; 3];
        for (place, colour) in samples {
            let share = self.distance(*place, *colour) / CUT_OFF;
            if share >= 1.0 {
                continue;
            }
            let weight = f64::from((1.0 - share * share).powi(2));
            let terms = terms(*place).map(f64::from);
            for row in 0..used {
                for column in 0..used {
                    normal[row][column] += weight * terms[row] * terms[column];
                }
                for channel in 0..3 {
                    right[channel][row] += weight * terms[row] * f64::from(colour[channel]);
                }
            }
        }
        for channel in 0..3 {
            if let Some(solution) = solve(normal, right[channel], used) {
                self.coefficients[channel] = solution.map(|factor| factor as f32);
            }
        }
    }
}

fn terms([x, y]: [f32; 2]) -> [f32; TERMS] {
    [1.0, x, y, x * x, x * y, y * y]
}

fn median(values: impl Iterator<Item = f32>) -> f32 {
    let mut values: Vec<f32> = values.collect();
    let middle = values.len() / 2;
    if values.is_empty() {
        return 0.0;
    }
    *values.select_nth_unstable_by(middle, f32::total_cmp).1
}

/// Solves the first `used` equations by Cholesky's method; `None` if they do not determine a surface.
fn solve(mut matrix: [[f64; TERMS]; TERMS], mut right: [f64; TERMS], used: usize) -> Option<[f64; TERMS]> {
    for row in 0..used {
        for column in 0..=row {
            let dot: f64 = (0..column).map(|k| matrix[row][k] * matrix[column][k]).sum();
            let rest = matrix[row][column] - dot;
            if row == column {
                if rest < 1e-6 {
                    return None;
                }
                matrix[row][row] = rest.sqrt();
            } else {
                matrix[row][column] = rest / matrix[column][column];
            }
        }
    }
    for row in 0..used {
        let dot: f64 = (0..row).map(|k| matrix[row][k] * right[k]).sum();
        right[row] = (right[row] - dot) / matrix[row][row];
    }
    for row in (0..used).rev() {
        let dot: f64 = (row + 1..used).map(|k| matrix[k][row] * right[k]).sum();
        right[row] = (right[row] - dot) / matrix[row][row];
    }
    right[used..].fill(0.0);
    Some(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_a_gradient_and_ignores_a_fifth_of_outliers() {
        let samples: Vec<([f32; 2], Colour)> = (0..400)
            .map(|index| {
                let x = index as f32 / 200.0 - 1.0;
                let y = if index % 2 == 0 { -1.0 } else { 1.0 };
                let colour = if index < 80 {
                    [0.1, 0.2, -0.2]
                } else {
                    [0.7 + 0.1 * x - 0.05 * y, 0.02, -0.03]
                };
                ([x, y], colour)
            })
            .collect();
        let surface = Surface::fit(&samples);
        let middle = surface.at([0.5, 1.0]);
        assert!((middle[0] - 0.7).abs() < 0.005, "{middle:?}");
        assert!(surface.distance([-0.9, 1.0], [0.1, 0.2, -0.2]) > 10.0);
    }

    #[test]
    fn one_sample_is_enough_for_a_constant() {
        let surface = Surface::fit(&[([0.0, 0.0], [0.5, 0.0, 0.0])]);
        assert!(surface.distance([0.0, 0.0], [0.5, 0.0, 0.0]) < 1e-3);
    }
}
