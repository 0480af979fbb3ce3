//! Where the triangulation may be coarse: squares joined two by two as far from the outline as their size
//! allows, so that neighbours differ by one level at most.
//!
//! A square of level 0 lies between four neighbouring cell centres; one of level `k` is `2^k` as wide and
//! lies at a multiple of its width.

use crate::grid::Grid;

/// The level of the square that covers each level-0 square; `None` where no whole square lies inside.
pub(crate) fn levels(inside: &Grid<bool>, coarsest: usize) -> Grid<Option<usize>> {
    let (width, height) = (inside.width - 1, inside.height - 1);
    let mut base = Grid::filled(width, height, false);
    for y in 0..height {
        for x in 0..width {
            let all =
                inside.at(x, y) && inside.at(x + 1, y) && inside.at(x, y + 1) && inside.at(x + 1, y + 1);
            base.set(x, y, all);
        }
    }
    let mut levels = base.map(|whole| whole.then_some(0));
    let mut finer = base;
    for level in 1..=coarsest {
        finer = joined(&finer);
        for y in 0..height {
            for x in 0..width {
                if finer.get_or((x >> level) as isize, (y >> level) as isize, false) {
                    levels.set(x, y, Some(level));
                }
            }
        }
    }
    levels
}

/// The squares of the next level: those whose four parts and all squares around these are there.
fn joined(finer: &Grid<bool>) -> Grid<bool> {
    let (width, height) = (finer.width / 2, finer.height / 2);
    let mut out = Grid {
        width,
        height,
        values: vec![false; width * height],
    };
    for y in 0..height {
        for x in 0..width {
            let (left, top) = (2 * x as isize - 1, 2 * y as isize - 1);
            let all = (0..4).all(|row| (0..4).all(|column| finer.get_or(left + column, top + row, false)));
            out.set(x, y, all);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_differ_by_one_level_at_most() {
        let mut inside = Grid::filled(80, 70, false);
        for y in 3..67 {
            for x in 5..75 {
                inside.set(x, y, (x as isize - 40).abs() + (y as isize - 30).abs() < 36);
            }
        }
        let levels = levels(&inside, 3);
        assert!(levels.values.contains(&Some(3)));
        for y in 1..levels.height {
            for x in 1..levels.width {
                for (across, down) in [(1, 0), (0, 1), (1, 1)] {
                    match (levels.at(x, y), levels.at(x - across, y - down)) {
                        (Some(a), Some(b)) => assert!(a.abs_diff(b) <= 1),
                        (Some(level), None) | (None, Some(level)) => assert_eq!(level, 0),
                        (None, None) => {}
                    }
                }
            }
        }
    }
}
