//! The server's tests: the router without a listener where that suffices, else a server on port 0.

#![expect(clippy::unwrap_used, reason = "a test may stop where it cannot go on")]

mod arriving;
mod connections;
mod contract;
mod docs;
mod events;
mod exports;
mod files;
mod harden;
mod hosts;
mod jobs;
mod keys;
mod kit;
mod metrics;
mod middleware;
mod names;
mod operations;
mod pages;
mod preprocess;
mod priorities;
mod problems;
mod projectorz;
mod refusals;
mod requests_log;
mod results;
mod scopes;
mod server_facts;
mod session;
mod status;
mod submit;
mod texturing;
mod tls;
mod unix;
mod webhooks;
mod workers;
