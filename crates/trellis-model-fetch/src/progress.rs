//! How a download tells what it does. Bars and lines are the caller's.

use std::time::Duration;

/// Told of a download's course, from several tasks at once.
pub trait Progress: Send + Sync {
    /// A file of `bytes` will be fetched; `already` of them are here from an earlier run.
    fn started(&self, file: &str, bytes: u64, already: u64);
    /// `bytes` more of it are on disk.
    fn advanced(&self, file: &str, bytes: u64);
    /// Bytes of it that were counted have to be fetched again.
    fn lost(&self, file: &str, bytes: u64);
    /// It is whole, verified and in place.
    fn finished(&self, file: &str);
    /// Something went wrong and is tried again after `wait`.
    fn waiting(&self, why: &str, wait: Duration);
}

/// Says nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn started(&self, _: &str, _: u64, _: u64) {}
    fn advanced(&self, _: &str, _: u64) {}
    fn lost(&self, _: &str, _: u64) {}
    fn finished(&self, _: &str) {}
    fn waiting(&self, _: &str, _: Duration) {}
}
