//! Numbers on the command line; what is wrong with one is said without Rust's words.

use std::fmt::Display;
use std::str::FromStr;

use trellis_core::plain_words;

/// Reads a number of a flag.
pub(crate) fn parse<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.trim()
        .parse()
        .map_err(|error: T::Err| plain_words(&error.to_string()))
}
