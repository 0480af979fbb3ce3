//! The job store that several machines share: PostgreSQL, from version 14 on.
//!
//! It writes down what the rules of `trellis-jobs` say and decides nothing itself, like the embedded store; the same
//! tests hold for both (`trellis_jobs::conformance`). What differs is who else is at it:
//!
//! ```text
//! a change     locks the job's row, asks the rules, writes the step, commits      write.rs, session.rs
//! a claim      takes the row that the rules choose; rows held by others are skipped      claim.rs
//! a hint       goes to the other servers by NOTIFY after the commit                      herald.rs
//! the time     is the database's, whatever the clocks of the servers say                 clock.rs
//! ```
//!
//! Not here: files of jobs, which all servers must reach under the same keys, and who may use the database.

mod address;
mod claim;
mod clock;
mod error;
mod files;
mod herald;
mod lists;
mod memos;
mod nodes;
mod outbox;
mod passfile;
mod pool;
mod rows;
mod schema;
mod session;
mod store;
mod take;
mod tls;
mod waiting;
mod write;

pub use address::{Address, AddressError};
pub use clock::Clock;
pub use error::{OpenError, PostgresFailure};
pub use nodes::Node;
pub use passfile::DifferentPasswords;
pub use store::{PostgresStore, Settings};
