//! What was found in a picture, in numbers; whether that is an object, and what a person should know of it.

use crate::decisions::{Decisions, MaskSource};
use crate::error::ReliefError;
use crate::grid::Grid;
use crate::parts;

/// A body smaller than this share of the object is a detail of it: a spark, a stray hair.
const BODY_SHARE: f64 = 0.02;
/// Runs of object along the border, and bodies at it, from which they are no object but a background.
const MANY: f64 = 8.0;
/// Confidence below which there is no clear object, and below which there is a note.
const CLEAR: f64 = 0.5;
const SURE: f64 = 0.88;
/// A background that strays by a deviation from the first to the second of these is ever less plain, and takes
/// so much of the confidence at last. Several bodies at its border, [`SEVERAL`] at most, take more: they are pieces of it.
const UNEVEN: [f32; 2] = [0.03, 0.05];
const DOUBT: f64 = 0.3;
const SEVERAL: f64 = 5.0;
const DOUBT_SEVERAL: f64 = 0.3;
/// Share of the picture below which an object is small.
const SMALL: f64 = 0.02;

/// The object in its picture.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Facts {
    /// The object's share of the picture.
    pub(crate) share: f64,
    /// Bodies that do not hang together.
    pub(crate) bodies: usize,
    /// The largest body's share of the object.
    pub(crate) largest: f64,
    /// The object's share of the picture's border, in how many runs, and how many bodies reach it.
    pub(crate) border: f64,
    pub(crate) runs: usize,
    pub(crate) at_border: usize,
    /// Whether it reaches all four sides.
    pub(crate) all_sides: bool,
}

impl Facts {
    /// Measures a mask over the whole picture.
    pub(crate) fn of(mask: &Grid<bool>) -> Self {
        let found = parts::parts(mask, true);
        let object: usize = found.sizes.iter().sum();
        if object == 0 {
            return Self::default();
        }
        let least = (object as f64 * BODY_SHARE).ceil() as usize;
        let border = border(mask);
        let inside = |index: &usize| mask.values[*index];
        let mut at_border: Vec<u32> = border.iter().map(|index| found.labels.values[*index]).collect();
        at_border.sort_unstable();
        at_border.dedup();
        let (width, height) = (mask.width, mask.height);
        let rows = [&mask.values[..width], &mask.values[(height - 1) * width..]];
        let columns = [0, width - 1].map(|x| (0..height).any(|y| mask.at(x, y)));
        Self {
            share: object as f64 / mask.values.len() as f64,
            bodies: found.sizes.iter().filter(|size| **size >= least).count(),
            largest: found.sizes.iter().copied().max().unwrap_or(0) as f64 / object as f64,
            border: border.iter().filter(|index| inside(index)).count() as f64 / border.len() as f64,
            runs: (0..border.len())
                .filter(|at| inside(&border[*at]) && !inside(&border[(at + border.len() - 1) % border.len()]))
                .count(),
            at_border: at_border.iter().filter(|label| **label != 0).count(),
            all_sides: rows.iter().all(|row| row.contains(&true)) && columns == [true, true],
        }
    }

    /// From 0 to 1: how little what was found looks like the pieces of a busy background, which run along
    /// the border in many places and hang together nowhere. One object cut by the border is not like that.
    pub(crate) fn confidence(&self, decisions: &Decisions) -> f64 {
        let many = |count: usize| (count as f64 / MANY).min(1.0);
        let along = self.border * many(self.runs);
        let scattered = (1.0 - self.largest) * many(self.at_border);
        let uneven = ((decisions.unevenness - UNEVEN[0]) / (UNEVEN[1] - UNEVEN[0])).clamp(0.0, 1.0);
        let others = (self.at_border.saturating_sub(1) as f64 / (SEVERAL - 1.0)).min(1.0);
        let doubt = f64::from(uneven) * (DOUBT + DOUBT_SEVERAL * others);
        (1.0 - along) * (1.0 - scattered) * (1.0 - doubt)
    }

    /// Refuses what is not a clear object.
    pub(crate) fn check(&self, decisions: &Decisions) -> Result<(), ReliefError> {
        if self.confidence(decisions) >= CLEAR {
            return Ok(());
        }
        if self.bodies > 1 {
            return Err(ReliefError::Scattered {
                bodies: self.bodies,
                largest_percent: (self.largest * 100.0).round() as u32,
            });
        }
        Err(ReliefError::BusyBackground)
    }

    /// What a person should know of the object and how it was found.
    pub(crate) fn notes(&self, decisions: &Decisions) -> Vec<String> {
        let mut notes = Vec::new();
        if decisions.alpha_ignored {
            notes.push("the alpha channel is not a mask and was ignored".to_owned());
        }
        let areas = |count: usize| match count {
            1 => "1 enclosed area in the background's colour was".to_owned(),
            count => format!("{count} enclosed areas in the background's colour were"),
        };
        let enclosed = decisions.enclosed;
        if enclosed.holes > 0 {
            let treated = if enclosed.holes == 1 { "a hole" } else { "holes" };
            notes.push(format!(
                "{} treated as {treated}; a picture with an alpha channel decides",
                areas(enclosed.holes)
            ));
        }
        if enclosed.kept > 0 {
            notes.push(format!(
                "{} kept as part of the object; a picture with an alpha channel decides",
                areas(enclosed.kept)
            ));
        }
        if decisions.hard_shadow {
            notes.push("a grey area beside the object was taken for its shadow and left out".to_owned());
        }
        if decisions.bars {
            notes.push("the bars around the picture were left out".to_owned());
        }
        if decisions.source == MaskSource::Removed && self.confidence(decisions) < SURE {
            notes.push(
                "the background is not plain, so the mask may be wrong; a picture with an alpha channel decides"
                    .to_owned(),
            );
        }
        if self.share < SMALL {
            notes.push(format!(
                "the object is {} of the picture; crop the picture closer to it",
                percent(self.share)
            ));
        }
        if self.all_sides && decisions.source != MaskSource::Whole {
            notes.push("the object touches the picture's border on all sides and may be cut off".to_owned());
        }
        if self.bodies > 1 {
            notes.push(format!(
                "the picture shows {} separate objects or parts; one object per picture works best",
                self.bodies
            ));
        }
        notes
    }
}

fn percent(share: f64) -> String {
    match (share * 100.0).round() {
        0.0 => "less than 1 %".to_owned(),
        percent => format!("{percent} %"),
    }
}

/// The cells along the border, once around.
fn border<T>(grid: &Grid<T>) -> Vec<usize> {
    let (width, height) = (grid.width, grid.height);
    let mut out: Vec<usize> = (0..width).collect();
    out.extend((1..height).map(|y| y * width + width - 1));
    if height > 1 {
        out.extend((0..width - 1).rev().map(|x| (height - 1) * width + x));
    }
    if width > 1 {
        out.extend((1..height.max(2) - 1).rev().map(|y| y * width));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_border_is_walked_once_around() {
        for (width, height) in [(1, 1), (1, 4), (4, 1), (2, 2), (5, 3)] {
            let grid = Grid::filled(width, height, ());
            let mut walked = border(&grid);
            let count = walked.len();
            walked.sort_unstable();
            walked.dedup();
            let all = (0..width * height).filter(|index| grid.on_border(*index)).count();
            assert_eq!((walked.len(), count), (all, all), "{width} × {height}");
        }
    }

    #[test]
    fn counts_bodies_and_runs() {
        let facts = Facts::of(&Grid::drawn(&["##....", "##..#.", "....#.", "......"]));
        assert_eq!((facts.bodies, facts.runs, facts.at_border), (2, 1, 1));
        assert!((facts.largest - 4.0 / 6.0).abs() < 1e-9 && !facts.all_sides);
        let cross = Facts::of(&Grid::drawn(&["..#..", "#####", "..#.."]));
        assert!(cross.all_sides && cross.runs == 4 && cross.bodies == 1);
    }

    #[test]
    fn a_cut_off_object_is_clear_and_scraps_along_the_border_are_not() {
        let cut = Facts {
            share: 0.5,
            bodies: 1,
            largest: 1.0,
            border: 0.6,
            runs: 4,
            at_border: 1,
            all_sides: true,
        };
        assert!(cut.check(&Decisions::default()).is_ok());
        let scraps = Facts {
            largest: 0.3,
            bodies: 26,
            runs: 14,
            at_border: 11,
            border: 0.35,
            ..cut
        };
        assert!(scraps.check(&Decisions::default()).is_err());
        // A set of chessmen on white.
        let set = Facts {
            largest: 0.1,
            bodies: 12,
            runs: 0,
            at_border: 0,
            border: 0.0,
            ..cut
        };
        assert!(set.confidence(&Decisions::default()) > 0.99);
    }
    #[test]
    fn several_bodies_at_the_border_of_an_uneven_background_are_not_clear() {
        let uneven = Decisions {
            source: MaskSource::Removed,
            unevenness: 0.06,
            ..Decisions::default()
        };
        let pieces = Facts {
            share: 0.4,
            bodies: 4,
            largest: 0.8,
            border: 0.1,
            runs: 4,
            at_border: 4,
            all_sides: false,
        };
        assert!(pieces.check(&uneven).is_err() && pieces.check(&Decisions::default()).is_ok());
        let bust = Facts {
            bodies: 1,
            largest: 1.0,
            border: 0.2,
            runs: 1,
            at_border: 1,
            ..pieces
        };
        assert!(bust.check(&uneven).is_ok());
    }
}
