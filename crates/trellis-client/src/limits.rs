//! How much of a server's answers is taken and shown: a server may be broken or anybody's. The only place for these
//! numbers.

/// The longest JSON: a job with its history has some kilobytes.
pub(crate) const MAX_JSON_BYTES: u64 = 4 << 20;
/// The longest answer that says what is wrong.
pub(crate) const MAX_PROBLEM_BYTES: u64 = 64 << 10;
/// The largest file, as the server's own limit.
pub(crate) const MAX_FILE_BYTES: u64 = 2 << 30;
/// The longest statement.
pub(crate) const MAX_STATEMENT_BYTES: u64 = 4 << 20;
/// The most bytes of events that are read about one job; a job of TRELLIS has some hundred kilobytes.
pub(crate) const MAX_EVENTS_BYTES: u64 = 16 << 20;
/// The longest name that is shown, in characters.
pub(crate) const NAME: usize = 100;
/// The longest sentence.
pub(crate) const SENTENCE: usize = 1000;
/// The longest list.
pub(crate) const ENTRIES: usize = 100;
