//! Advice that several errors share.

pub(crate) const FREE_SPACE: &str =
    "free disk space in the data directory or for the database, then try again";
pub(crate) const READ_LOG: &str = "see the server's log for the cause, then try again";
