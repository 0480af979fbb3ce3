//! Pictures of every format and kind, made by code.

#![expect(clippy::unwrap_used, reason = "a test that cannot make its input has failed")]

mod bounds;
mod colour;
mod damage;
mod formats;
mod frames;
mod kinds;
mod kit;
mod page;
mod whole;
