//! How long jobs wait for a GPU where many servers share their jobs: a simulation from event to event.
//!
//! ```text
//! parts.rs      jobs and GPUs
//! workload.rs   who submits which job when, and how long it takes (`seconds.rs`: as it was measured)
//! policy.rs     whose turn it is: the rule of the stores itself, and a plain queue to compare with
//! engine.rs     jobs come, GPUs become free, and each free GPU takes the job that the policy says
//! waits.rs      how long they waited
//! report.rs     the table of docs/scale.md; `replay.rs`: the waits of submissions that really happened
//! ```
//!
//! Not in it: the time that a claim takes beyond a constant, jobs that wait again after a server died, limits of owners,
//! and results that are given again.

mod engine;
mod parts;
mod policy;
mod replay;
mod report;
mod seconds;
mod waits;
mod workload;

pub use engine::run;
pub use parts::{Job, Kind, Pool, Started};
pub use policy::{InOrder, Policy, Turns};
pub use replay::{ReplayError, replay};
pub use report::{Asked, Line, lines, table};
pub use seconds::{SECONDS, whole_job};
pub use waits::Waits;
pub use workload::{Mix, Workload};
