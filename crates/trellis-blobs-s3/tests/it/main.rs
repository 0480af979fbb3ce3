//! Tests of the storage against a real server, `s3s-fs`, that checks signatures. They are skipped where it is missing.

#![expect(clippy::unwrap_used, reason = "a test may stop where it cannot go on")]

mod blobs;
mod faults;
mod kit;
mod links;
mod proxy;
mod server;
mod start;
