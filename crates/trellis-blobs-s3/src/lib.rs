//! Blobs in S3-compatible storage, for servers on several machines that share their jobs.
//!
//! ```text
//! address.rs      s3://bucket/prefix?endpoint=…&region=…
//! credentials.rs  a file in the form of AWS's own; without one, what the environment says
//! blobs.rs        the store: one request a call, listings by prefix, links for clients
//! upload.rs       large files in parts, given up as a whole
//! staged.rs       a body that comes in is a local file until it is kept
//! connection.rs   the HTTP client, its patience, and what is tried before anything starts
//! error.rs        what the storage says, in plain words
//! ```
//!
//! Keys are those of the folder, below the prefix, so that files can be moved by any tool that copies names.
//! Not here: what is done with leftovers of uploads that died with their server. The bucket's own rule for unfinished
//! multipart uploads removes them.

mod address;
mod blobs;
mod connection;
mod credentials;
mod error;
mod staged;
mod upload;

pub use address::{Address, AddressError};
pub use blobs::{S3Blobs, Settings};
pub use credentials::{Credentials, CredentialsError};
pub use error::{OpenError, S3Failure};
