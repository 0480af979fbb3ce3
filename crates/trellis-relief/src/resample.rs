//! Samples a window of a picture on another raster: exact area means where it shrinks, linear where it
//! grows. Separable: columns first, then rows, one source row at a time.
//!
//! Beyond the picture every value is 0.

use std::ops::Range;

use crate::grid::Grid;
use crate::window::Window;

/// The source cells that make one target cell, with their weights.
struct Taps {
    first: usize,
    weights: Vec<f32>,
}

/// Taps of `count` target cells over `start .. start + length` of a line of `available` source cells.
fn taps(start: f64, length: f64, count: usize, available: usize) -> Vec<Taps> {
    let step = length / count as f64;
    (0..count)
        .map(|target| {
            let low = start + step * target as f64;
            if step >= 1.0 {
                covering(low, low + step, available, |cell| {
                    ((low + step).min(cell + 1.0) - low.max(cell)).max(0.0) / step
                })
            } else {
                let centre = low + step / 2.0;
                covering(centre - 1.0, centre + 1.0, available, |cell| {
                    (1.0 - (cell + 0.5 - centre).abs()).max(0.0)
                })
            }
        })
        .collect()
}

fn covering(low: f64, high: f64, available: usize, weight: impl Fn(f64) -> f64) -> Taps {
    let limit = available as f64;
    let mut first = low.floor().clamp(0.0, limit) as usize;
    let mut end = (high.ceil().clamp(0.0, limit) as usize).max(first);
    while first < end && weight(first as f64) <= 0.0 {
        first += 1;
    }
    while first < end && weight((end - 1) as f64) <= 0.0 {
        end -= 1;
    }
    Taps {
        first,
        weights: (first..end).map(|cell| weight(cell as f64) as f32).collect(),
    }
}

/// The target cells that have any source; those beside them stay 0. A narrow picture in a square window has few, and
/// each of its many rows would cost as much as a wide one's.
fn touched(taps: &[Taps]) -> Range<usize> {
    let has_source = |taps: &Taps| !taps.weights.is_empty();
    let first = taps.iter().position(has_source).unwrap_or(0);
    let end = taps.iter().rposition(has_source).map_or(first, |last| last + 1);
    first..end
}

/// `N` channels of a `source_width × source_height` picture, read by `read(x, y)`, as `width × height`.
pub(crate) fn resample<const N: usize>(
    source: (usize, usize),
    read: impl Fn(usize, usize) -> [f32; N],
    window: Window,
    size: (usize, usize),
) -> Grid<[f32; N]> {
    let across = taps(window.left, window.width, size.0, source.0);
    let down = taps(window.top, window.height, size.1, source.1);
    let within = touched(&across);
    let across = &across[within.clone()];
    let mut out = Grid::filled(size.0, size.1, [0.0; N]);
    let mut rows: Vec<(usize, Vec<[f32; N]>)> = Vec::new();
    for (y, taps) in down.iter().enumerate() {
        rows.retain(|(row, _)| *row >= taps.first);
        let target = &mut out.values[y * size.0..(y + 1) * size.0][within.clone()];
        for (offset, weight) in taps.weights.iter().enumerate() {
            let row = taps.first + offset;
            let line = if let Some(found) = rows.iter().position(|(known, _)| *known == row) {
                &rows[found].1
            } else {
                rows.push((row, shrink_row(across, |x| read(x, row))));
                &rows[rows.len() - 1].1
            };
            for (cell, value) in target.iter_mut().zip(line) {
                for channel in 0..N {
                    cell[channel] += value[channel] * weight;
                }
            }
        }
    }
    out
}

fn shrink_row<const N: usize>(across: &[Taps], read: impl Fn(usize) -> [f32; N]) -> Vec<[f32; N]> {
    // Neighbouring cells share pixels where the picture grows: each is read once.
    let used = || across.iter().filter(|taps| !taps.weights.is_empty());
    let first = used().map(|taps| taps.first).min().unwrap_or(0);
    let end = used()
        .map(|taps| taps.first + taps.weights.len())
        .max()
        .unwrap_or(0);
    let line: Vec<[f32; N]> = (first..end).map(read).collect();
    across
        .iter()
        .map(|taps| {
            let mut sum = [0.0; N];
            // A cell without taps may lie anywhere.
            let start = taps.first.saturating_sub(first).min(line.len());
            for (value, weight) in line[start..].iter().zip(&taps.weights) {
                for channel in 0..N {
                    sum[channel] += value[channel] * weight;
                }
            }
            sum
        })
        .collect()
}

/// One channel, each target cell the largest value that it touches: keeps lines thinner than a cell.
pub(crate) fn largest(
    source: (usize, usize),
    read: impl Fn(usize, usize) -> f32,
    window: Window,
    size: (usize, usize),
) -> Grid<f32> {
    let across = taps(window.left, window.width, size.0, source.0);
    let down = taps(window.top, window.height, size.1, source.1);
    let mut out = Grid::filled(size.0, size.1, 0.0_f32);
    for (y, rows) in down.iter().enumerate() {
        for row_offset in 0..rows.weights.len() {
            for (x, columns) in across.iter().enumerate() {
                let index = y * size.0 + x;
                for offset in 0..columns.weights.len() {
                    let value = read(columns.first + offset, rows.first + row_offset);
                    out.values[index] = out.values[index].max(value);
                }
            }
        }
    }
    out
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "whole numbers and halves are exact")]
mod tests {
    use super::*;

    fn window(left: f64, top: f64, width: f64, height: f64) -> Window {
        Window {
            left,
            top,
            width,
            height,
        }
    }

    #[test]
    fn only_cells_that_the_picture_touches_cost_anything() {
        // One column of 32,768 pixels in the middle of a square of 1,024 cells.
        let across = taps(-16_376.0, 32_768.0, 1024, 1);
        let within = touched(&across);
        assert_eq!(within.len(), 1);
        let out = resample(
            (1, 32_768),
            |_, _| [1.0],
            window(-16_376.0, 0.0, 32_768.0, 32_768.0),
            (1024, 1024),
        );
        let cells = |column: usize| (0..1024).map(move |row| row * 1024 + column);
        for column in [0, within.start - 1, within.end, 1023] {
            assert!(cells(column).all(|cell| out.values[cell] == [0.0]));
        }
        assert!(cells(within.start).all(|cell| (out.values[cell][0] - 1.0 / 32.0).abs() < 1e-6));
        assert!(
            touched(&taps(5.0, 10.0, 4, 3)).is_empty(),
            "a window beside the picture"
        );
    }

    #[test]
    fn shrinking_keeps_the_mean_exactly() {
        let read = |x: usize, y: usize| [((x * 7 + y * 13) % 5) as f32];
        let out = resample((12, 9), read, window(0.0, 0.0, 12.0, 9.0), (5, 4));
        let mean = out.values.iter().map(|cell| cell[0]).sum::<f32>() / 20.0;
        let all: f32 = (0..9).flat_map(|y| (0..12).map(move |x| read(x, y)[0])).sum();
        assert!((mean - all / 108.0).abs() < 1e-5, "{mean}");
    }

    #[test]
    fn the_same_raster_is_the_same_picture() {
        let read = |x: usize, y: usize| [x as f32, y as f32];
        let out = resample((6, 5), read, window(0.0, 0.0, 6.0, 5.0), (6, 5));
        assert_eq!(out.at(4, 3), [4.0, 3.0]);
    }

    #[test]
    fn growing_is_linear_between_centres_and_zero_beyond() {
        let out = resample(
            (2, 1),
            |x, _| [x as f32 * 8.0],
            window(0.0, 0.0, 2.0, 1.0),
            (8, 1),
        );
        assert_eq!(out.at(3, 0)[0], 3.0);
        let beyond = resample((2, 2), |_, _| [1.0], window(5.0, 5.0, 2.0, 2.0), (2, 2));
        assert!(beyond.values.iter().all(|cell| cell[0] == 0.0));
    }

    #[test]
    fn the_largest_keeps_a_thin_line() {
        let line = |x: usize, _: usize| f32::from(u8::from(x == 50));
        let out = largest((100, 100), line, window(0.0, 0.0, 100.0, 100.0), (10, 10));
        assert_eq!(out.values.iter().filter(|value| **value == 1.0).count(), 10);
    }
}
