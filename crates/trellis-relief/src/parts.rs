//! Connected parts of a mask: found, measured, specks dropped.

use crate::grid::Grid;

/// A part smaller than this share of the largest is a speck, not a part of the object.
const SPECK_SHARE: f64 = 0.004;

/// Which cells hang together.
pub(crate) struct Parts {
    /// The part of each cell, from 1; 0 outside the mask.
    pub(crate) labels: Grid<u32>,
    /// Cells in each part; the first entry belongs to label 1.
    pub(crate) sizes: Vec<usize>,
}

impl Parts {
    /// The cells inside, each with the index of its part in `sizes`.
    pub(crate) fn cells(&self) -> impl Iterator<Item = (usize, usize)> {
        let labels = self.labels.values.iter().enumerate();
        labels.filter_map(|(cell, label)| Some((cell, label.checked_sub(1)? as usize)))
    }
}

/// The parts of `mask` whose cells share a side, or also a corner if `corners`.
pub(crate) fn parts(mask: &Grid<bool>, corners: bool) -> Parts {
    let mut labels = mask.map(|_| 0_u32);
    let mut sizes = Vec::new();
    let mut open = Vec::new();
    for start in 0..mask.values.len() {
        if !mask.values[start] || labels.values[start] != 0 {
            continue;
        }
        let label = sizes.len() as u32 + 1;
        labels.values[start] = label;
        open.push(start);
        let mut size = 0;
        while let Some(cell) = open.pop() {
            size += 1;
            let mut reach = |next: usize| {
                if mask.values[next] && labels.values[next] == 0 {
                    labels.values[next] = label;
                    open.push(next);
                }
            };
            mask.neighbours(cell).for_each(&mut reach);
            if corners {
                diagonal(mask, cell).for_each(&mut reach);
            }
        }
        sizes.push(size);
    }
    Parts { labels, sizes }
}

fn diagonal(mask: &Grid<bool>, index: usize) -> impl Iterator<Item = usize> {
    let corners = [(-1, -1), (1, -1), (-1, 1), (1, 1)].into_iter();
    corners.filter_map(move |towards| mask.along(index, towards, 1))
}

/// Takes specks out of the mask.
pub(crate) fn drop_specks(mask: &mut Grid<bool>) {
    let found = parts(mask, true);
    let largest = found.sizes.iter().copied().max().unwrap_or(0);
    let least = (largest as f64 * SPECK_SHARE).ceil() as usize;
    for (inside, label) in mask.values.iter_mut().zip(&found.labels.values) {
        *inside &= *label != 0 && found.sizes[*label as usize - 1] >= least;
    }
}

/// The columns and rows that the mask spans, each first and end; `None` if it is empty.
pub(crate) fn bounds(mask: &Grid<bool>) -> Option<[usize; 4]> {
    let mut found: Option<[usize; 4]> = None;
    for (y, row) in mask.values.chunks_exact(mask.width).enumerate() {
        let Some(first) = row.iter().position(|inside| *inside) else {
            continue;
        };
        let end = row.iter().rposition(|inside| *inside).unwrap_or(first) + 1;
        let [left, right, top, _] = found.unwrap_or([first, end, y, y]);
        found = Some([left.min(first), right.max(end), top, y + 1]);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corners_join_only_when_asked() {
        let steps = Grid::drawn(&["#..", ".#.", "..#"]);
        assert_eq!(parts(&steps, false).sizes, [1, 1, 1]);
        assert_eq!(parts(&steps, true).sizes, [3]);
    }

    #[test]
    fn bounds_are_tight() {
        let spot = Grid::drawn(&[".....", "..##.", ".##..", "....."]);
        assert_eq!(bounds(&spot), Some([1, 4, 1, 3]));
        assert_eq!(bounds(&Grid::drawn(&["..", ".."])), None);
    }

    #[test]
    fn specks_go_and_parts_stay() {
        let mut grid = Grid::filled(60, 40, false);
        for y in 5..35 {
            for x in (2..22).chain(40..50) {
                grid.set(x, y, true);
            }
        }
        grid.set(30, 20, true);
        drop_specks(&mut grid);
        assert!(!grid.at(30, 20));
        assert!(grid.at(10, 10) && grid.at(45, 10));
    }

    #[test]
    fn a_lone_pixel_is_the_object() {
        let mut grid = Grid::drawn(&["...", ".#.", "..."]);
        drop_specks(&mut grid);
        assert!(grid.at(1, 1));
    }
}
