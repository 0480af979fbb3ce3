//! The store against Debian's PostgreSQL, started for each test in a temporary folder.

#![expect(clippy::unwrap_used, reason = "a test may stop where it cannot go on")]

mod breaks;
mod clocks;
mod conformance;
mod growth;
mod kit;
mod priorities;
mod proxy;
mod schema;
mod server;
mod tls;
mod twins;
mod upgrade;
