//! Deliveries to receivers that this test plays, from a real store.

#![expect(clippy::unwrap_used, reason = "a test may stop where it cannot go on")]

mod delivery;
mod docs;
mod hostile;
mod kit;
