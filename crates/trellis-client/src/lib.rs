//! Talks to a trellis server over HTTP (`docs/http.md`): submits jobs, follows them, downloads their files.
//!
//! [`Client::submit`], [`Client::export`], [`Client::follow`] and [`Client::download`] retry what a restart of the server explains;
//! every other call is made once. Dropping a future stops the call; [`Client::cancel`] stops the job. No server is trusted:
//! what is taken of its answers is bounded, cleaned and checked.
//! Not here: reading pictures, where results are kept, and what a person is told (`trellis-cli`).

pub mod address;
mod answer;
mod client;
mod error;
mod limits;
mod plain;
mod retry;
mod sse;
mod status;

pub use client::{BackendInfo, Client, Export, ServerInfo, Submission};
pub use error::{ClientError, ServerProblem};
pub use status::{BackendStatus, GpuStatus, JobCounts, ServerStatus, SinceStart};
