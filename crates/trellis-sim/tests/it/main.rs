//! The simulation against what is known: formulas, invariants, a real store, and the measured table.

#![expect(clippy::unwrap_used, reason = "a test may stop where it cannot go on")]

mod formulas;
mod invariants;
mod known;
mod stores;
