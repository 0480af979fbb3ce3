//! The exit codes.

use std::process::ExitCode;

/// How a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: done.
    Done,
    /// 1: the work or part of it failed.
    Failed,
    /// 2: could not start, or wrong usage.
    NotStarted,
}

impl Exit {
    /// Done, or failed where something is left.
    pub(crate) fn done_if(all_is_well: bool) -> Self {
        if all_is_well { Self::Done } else { Self::Failed }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::NotStarted => 2,
        })
    }
}
