//! The store, the blobs, the way in and the way out, against a real file system.

#![expect(clippy::unwrap_used, reason = "a test may stop where it cannot go on")]

mod blobs;
mod cache;
mod child;
mod damage;
mod export;
mod foreign;
mod full_disk;
mod intake;
mod janitor;
mod kill;
mod kinship;
mod kit;
mod leftovers;
mod no_server;
mod power_cut;
mod rescue;
mod service;
mod store;
mod submit;
mod texturing;
mod upgrade;
