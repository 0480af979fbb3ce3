//! Moves that put a folder's files where they belong, as `check` proposes and `repair` makes them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One file that is in the wrong place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Move {
    /// Where it lies, relative to the folder.
    pub from: String,
    /// Where it belongs, relative to the folder.
    pub to: String,
}

impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` to `{}`", self.from, self.to)
    }
}

/// Moves as `check` proposes and `repair` announces them.
pub fn sentence(moves: &[Move]) -> String {
    let moves: Vec<String> = moves.iter().map(Move::to_string).collect();
    format!("move {}", moves.join(" and "))
}

/// The moves that put one thing in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misplaced {
    /// The checkpoint's name in `pipeline.json`, or `pipeline.json` itself.
    pub name: String,
    /// One or two.
    pub moves: Vec<Move>,
}
