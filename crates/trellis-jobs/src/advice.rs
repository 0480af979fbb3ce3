//! Advice that several errors share.

pub(crate) const FREE_SPACE: &str = "free disk space in the data directory, then try again";
pub(crate) const READ_LOG: &str = "look at the server's log for what the system said, then try again";
