//! Why one asset was not made: for people in the list at the end, for scripts in the JSON.

use std::io;
use std::path::Path;

use serde::Serialize;
use trellis_client::ClientError;
use trellis_core::{Failure, GenerateError};

use crate::env;
use trellis_node::nearby;

/// What to do about an answer that is not the contract's.
const NOT_UNDERSTOOD: &str = "check that `--server` is a trellis server of this version";

/// Why one asset was not made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Trouble {
    /// A stable name: a failure's or a server problem's kind, or one of this file's.
    pub(crate) kind: String,
    /// What happened.
    pub(crate) message: String,
    /// What to do.
    pub(crate) fix: String,
}

impl Trouble {
    /// A picture that cannot be read.
    pub(crate) fn unreadable(path: &Path, error: &io::Error) -> Self {
        Self {
            kind: "unreadable".to_owned(),
            message: format!("cannot read `{}`: {error}", path.display()),
            fix: nearby::hint(path, error).unwrap_or_else(|| "check the file's permissions".to_owned()),
        }
    }

    /// A picture file beyond the limit.
    pub(crate) fn too_large(path: &Path, size_bytes: u64, limit_bytes: u64) -> Self {
        Self {
            kind: "body_too_large".to_owned(),
            message: format!(
                "`{}` has {size_bytes} bytes; the limit is {limit_bytes}",
                path.display()
            ),
            fix: "make the picture smaller, or raise `limits.body_bytes`".to_owned(),
        }
    }

    /// A result that cannot be written.
    pub(crate) fn unwritable(path: &Path, error: &io::Error) -> Self {
        let fix = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                "free disk space, or write elsewhere with `-o`"
            }
            _ => "check the folder's permissions, or write elsewhere with `-o`",
        };
        Self {
            kind: "unwritable".to_owned(),
            message: format!("cannot write `{}`: {error}", path.display()),
            fix: fix.to_owned(),
        }
    }

    /// The person stopped it.
    pub(crate) fn interrupted() -> Self {
        Self {
            kind: "interrupted".to_owned(),
            message: "stopped before it was done".to_owned(),
            fix: "run the command again".to_owned(),
        }
    }

    /// The server answers with something that is not its contract.
    pub(crate) fn not_understood(message: String) -> Self {
        Self {
            kind: "not_understood".to_owned(),
            message,
            fix: NOT_UNDERSTOOD.to_owned(),
        }
    }
}

impl From<GenerateError> for Trouble {
    fn from(error: GenerateError) -> Self {
        match error {
            GenerateError::Cancelled => Self::interrupted(),
            GenerateError::Failed(failure) => failure.into(),
        }
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self {
            kind: failure.kind.name().to_owned(),
            message: failure.message,
            fix: failure.fix,
        }
    }
}

impl From<ClientError> for Trouble {
    fn from(error: ClientError) -> Self {
        let fix = match &error {
            ClientError::InvalidAddress { .. } | ClientError::Unreachable { .. } => {
                "start the server with `trellis serve`, or correct `--server`".to_owned()
            }
            // The server's own advice is for whoever writes requests by hand.
            ClientError::Busy { problem, .. } | ClientError::Refused(problem) if problem.status == 401 => {
                format!(
                    "put the server's API key into `${}`, or name its file with `--api-key-file`",
                    env::API_KEY
                )
            }
            ClientError::Busy { problem, .. } | ClientError::Refused(problem) => problem
                .fix
                .clone()
                .unwrap_or_else(|| "look at the server's log".to_owned()),
            ClientError::NotUnderstood { .. } | ClientError::Damaged { .. } => NOT_UNDERSTOOD.to_owned(),
        };
        Self {
            kind: error.kind().to_owned(),
            message: error.to_string(),
            fix,
        }
    }
}
