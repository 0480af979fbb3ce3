//! Bars and frames around a picture (letterbox, pillarbox, a drawn border): they are not part of the scene.
//!
//! A bar is a band of one colour over a whole side that ends everywhere at once. A plain wall ends where
//! the object begins, and goes on beside it.

use crate::colour::{Colour, length};
use crate::grid::Grid;

/// How far a bar's cells may be from its colour: JPEG rings along its edge.
const SAME: f32 = 0.06;
/// Shares of a line: that is the bar's colour within it, and that is another behind its end.
const WITHIN: f64 = 0.98;
const BEHIND: f64 = 0.9;
/// Lines over which a bar may end, and lines behind it that are still mixed with it.
const ENDING: usize = 6;
const MIXED: usize = 2;
/// The least share of a side that is left between two bars: an upright film on a wide screen.
const LEAST_LEFT: f64 = 0.3;
/// Bars within bars that are looked for.
const NESTED: usize = 3;

/// A rectangle of cells: first and end of its columns and rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Inner {
    pub(crate) left: usize,
    pub(crate) right: usize,
    pub(crate) top: usize,
    pub(crate) bottom: usize,
}

impl Inner {
    fn whole<T>(grid: &Grid<T>) -> Self {
        Self {
            left: 0,
            right: grid.width,
            top: 0,
            bottom: grid.height,
        }
    }

    /// What lies within, as a grid of its own.
    pub(crate) fn cut<T: Copy>(&self, grid: &Grid<T>) -> Grid<T> {
        let rows = grid.values[self.top * grid.width..self.bottom * grid.width].chunks_exact(grid.width);
        Grid {
            width: self.right - self.left,
            height: self.bottom - self.top,
            values: rows
                .flat_map(|row| row[self.left..self.right].iter().copied())
                .collect(),
        }
    }

    /// The reverse of [`Self::cut`]: in a grid of that size, with `outside` around it.
    pub(crate) fn put_back<T: Copy>(&self, within: &Grid<T>, size: (usize, usize), outside: T) -> Grid<T> {
        let mut out = Grid::filled(size.0, size.1, outside);
        for (y, row) in within.values.chunks_exact(within.width).enumerate() {
            let first = (self.top + y) * size.0 + self.left;
            out.values[first..first + within.width].copy_from_slice(row);
        }
        out
    }
}

/// What lies within the bars; `None` if there are none.
pub(crate) fn within(colours: &Grid<Colour>) -> Option<Inner> {
    let whole = Inner::whole(colours);
    let mut inner = whole;
    for _ in 0..NESTED {
        let before = inner;
        inner = peeled(colours, inner);
        if inner == before {
            break;
        }
    }
    (inner != whole).then_some(inner)
}

/// Without the outermost bars.
fn peeled(colours: &Grid<Colour>, from: Inner) -> Inner {
    let (columns, rows) = (from.right - from.left, from.bottom - from.top);
    let row = |y: usize| (from.left..from.right).map(move |x| colours.at(x, y));
    let column = |x: usize| (from.top..from.bottom).map(move |y| colours.at(x, y));
    let top = thickness(rows, |step| row(from.top + step));
    let bottom = thickness(rows, |step| row(from.bottom - 1 - step));
    let left = thickness(columns, |step| column(from.left + step));
    let right = thickness(columns, |step| column(from.right - 1 - step));
    let enough = |bars: usize, side: usize| ((side - bars.min(side)) as f64) >= LEAST_LEFT * side as f64;
    let mut inner = from;
    if enough(top + bottom, rows) {
        inner.top += top;
        inner.bottom -= bottom;
    }
    if enough(left + right, columns) {
        inner.left += left;
        inner.right -= right;
    }
    inner
}

/// The lines that a bar takes from a side, 0 if it is none; `line(0)` is the outermost.
fn thickness<L: Iterator<Item = Colour>>(lines: usize, line: impl Fn(usize) -> L) -> usize {
    let colour = middle(line(0).collect());
    let share = |step: usize| {
        let (mut same, mut all) = (0, 0);
        for cell in line(step) {
            let off = [0, 1, 2].map(|channel| cell[channel] - colour[channel]);
            same += usize::from(length(off) < SAME);
            all += 1;
        }
        f64::from(same as u32) / f64::from(all.max(1) as u32)
    };
    let run = (0..lines).take_while(|step| share(*step) >= WITHIN).count();
    if run == 0 {
        return 0;
    }
    let end = (run..lines.min(run + ENDING)).find(|step| share(*step) <= 1.0 - BEHIND);
    end.map_or(0, |end| (end + MIXED).min(lines))
}

/// The median in each channel.
fn middle(cells: Vec<Colour>) -> Colour {
    let mut cells = cells;
    [0, 1, 2].map(|channel| {
        let at = cells.len() / 2;
        cells
            .select_nth_unstable_by(at, |a, b| a[channel].total_cmp(&b[channel]))
            .1[channel]
    })
}
