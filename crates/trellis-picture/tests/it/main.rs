//! Pictures of every format and kind, made by code.

mod colour;
mod damage;
mod formats;
mod frames;
mod kinds;
mod kit;
mod page;
