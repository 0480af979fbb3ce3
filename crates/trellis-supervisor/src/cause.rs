//! Why a worker was lost, and what of that is told to people.

use std::time::Duration;

use trellis_core::{Failure, FailureKind, RestartKind, Stage};

use crate::protocol::{FailedReport, PROTOCOL};

/// Why a worker is of no use any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Cause {
    /// No process could be started.
    #[error("the worker cannot be started: {reason}")]
    Spawn {
        /// What the system said.
        reason: String,
    },
    /// The GPU has too little free memory for a start.
    #[error("{message}")]
    NoMemory {
        /// How much is free and needed.
        message: String,
    },
    /// The process ended by itself.
    #[error("the worker {how}")]
    Exited {
        /// `exited with status 3` or `was killed by signal 9 (SIGKILL)`.
        how: String,
        /// What its last lines of log tell.
        inferred: Option<FailureKind>,
    },
    /// It closed the socket and went on.
    #[error("the worker closed its socket")]
    Closed,
    /// It wrote what is no frame.
    #[error("the worker sent an invalid message: {reason}")]
    BadFrame {
        /// What is wrong with it.
        reason: String,
    },
    /// It wrote a message that does not fit.
    #[error("the worker sent an unexpected `{message}`")]
    Unexpected {
        /// The message.
        message: &'static str,
    },
    /// It speaks another version of the protocol.
    #[error("the worker speaks protocol {found}, this server {PROTOCOL}")]
    WrongProtocol {
        /// Its version.
        found: u32,
    },
    /// It did not answer.
    #[error("the worker has not answered for {} s", .silent.as_secs())]
    Silent {
        /// For how long.
        silent: Duration,
    },
    /// It answered, but its work did not go on.
    #[error("the worker made no progress in {doing} for {} s", .limit.as_secs())]
    Stalled {
        /// What it was doing.
        doing: Doing,
        /// The limit.
        limit: Duration,
    },
    /// It was asked to stop a job and did not.
    #[error("the worker did not stop its job within {} s", .grace.as_secs())]
    DidNotCancel {
        /// The time it had.
        grace: Duration,
    },
    /// It said itself that loading failed.
    #[error("{}", .0.message)]
    LoadFailed(FailedReport),
    /// A job came while it could not take one.
    #[error("the worker was not ready")]
    NotReady,
}

/// What a worker was doing when it stalled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    /// Starting, up to `hello`.
    Start,
    /// Loading.
    Load,
    /// A stage of a job.
    Stage(Stage),
}

impl std::fmt::Display for Doing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Start => f.write_str("its start"),
            Self::Load => f.write_str("loading"),
            Self::Stage(stage) => write!(f, "stage `{stage}`"),
        }
    }
}

impl Cause {
    /// The kind of failure that this is to people.
    pub(crate) fn kind(&self) -> FailureKind {
        match self {
            Self::LoadFailed(report) => report.kind,
            Self::NoMemory { .. } => FailureKind::GpuOutOfMemory,
            Self::Exited {
                inferred: Some(kind), ..
            } => *kind,
            Self::WrongProtocol { .. } | Self::Spawn { .. } => FailureKind::ExtensionMissing,
            Self::Unexpected { .. } => FailureKind::Internal,
            _ => FailureKind::WorkerLost,
        }
    }

    /// The kind of restart that follows.
    pub(crate) fn restart(&self) -> RestartKind {
        if self.kind() == FailureKind::GpuOutOfMemory {
            return RestartKind::Memory;
        }
        match self {
            Self::Spawn { .. } | Self::NoMemory { .. } | Self::LoadFailed(_) => RestartKind::Start,
            Self::Exited { .. } | Self::Closed => RestartKind::Crash,
            Self::BadFrame { .. } | Self::Unexpected { .. } | Self::WrongProtocol { .. } | Self::NotReady => {
                RestartKind::Protocol
            }
            Self::Silent { .. } | Self::Stalled { .. } | Self::DidNotCancel { .. } => RestartKind::Hang,
        }
    }

    /// As a failure for people.
    pub(crate) fn failure(&self) -> Failure {
        let mut failure = Failure::new(self.kind(), without_paths(&self.to_string()));
        if matches!(self, Self::Spawn { .. } | Self::WrongProtocol { .. }) {
            "start the server with `--python` (for TRELLIS.2 `--trellis2-python`) naming an interpreter that has the \
             model's code and torch, or use the flake"
                .clone_into(&mut failure.fix);
        }
        failure
    }
}

/// The text with each absolute path cut to its last part: clients learn what is wrong, not where things are.
pub(crate) fn without_paths(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for piece in text.split_inclusive(|c: char| c.is_whitespace() || "`'\"()[]<>=,;".contains(c)) {
        // A URL is no path of this machine.
        let path = piece.starts_with('/') && piece[1..].contains('/');
        shown.push_str(if path { last_part(piece) } else { piece });
    }
    shown
}

fn last_part(path: &str) -> &str {
    let end = path.trim_end_matches('/').rfind('/').map_or(0, |slash| slash + 1);
    &path[end..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cut_and_urls_are_not() {
        for (text, shown) in [
            (
                "cannot open `/srv/trellis/model/ckpts/a.json`",
                "cannot open `a.json`",
            ),
            ("No such file: '/a/b c/d'", "No such file: 'b c/d'"),
            (
                "`https://huggingface.co/a/b` was asked for",
                "`https://huggingface.co/a/b` was asked for",
            ),
            ("/nix/store/x/_C.so: undefined symbol", "_C.so: undefined symbol"),
            ("a / b, and/or", "a / b, and/or"),
            ("/", "/"),
        ] {
            assert_eq!(without_paths(text), shown);
        }
    }

    #[test]
    fn a_load_failure_keeps_its_kind_and_words() {
        let cause = Cause::LoadFailed(FailedReport {
            kind: FailureKind::CheckpointMissing,
            message: "`ckpts/a.json` is named but not there".to_owned(),
            causes: vec![],
            traceback: String::new(),
            replace: false,
        });
        let failure = cause.failure();
        assert_eq!(failure.kind, FailureKind::CheckpointMissing);
        assert_eq!(failure.message, "`ckpts/a.json` is named but not there");
        assert_eq!(failure.fix, FailureKind::CheckpointMissing.advice());
    }
}
