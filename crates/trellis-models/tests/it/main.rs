//! Model folders, made small and true, broken in every way that was seen and some that were not.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod check;
mod dinov3;
mod docs;
mod extras;
mod hostile;
mod kit;
mod locate;
mod lock;
mod misplaced;
mod numbers;
mod published;
mod repair;
#[path = "../sample/mod.rs"]
mod sample;
mod shape_encoder;
mod trellis2;
