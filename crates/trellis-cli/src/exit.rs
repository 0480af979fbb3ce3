//! How a command ends: its exit code, and for an early end the reason with what to do about it.

use std::fmt;
use std::process::ExitCode;

/// The exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: done.
    Done,
    /// 1: the work or part of it failed.
    Failed,
    /// 2: could not start, or wrong usage.
    NotStarted,
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

/// Why a command ended early. Printed as `error:`, its causes, and `hint:`.
#[derive(Debug)]
pub(crate) struct Stop {
    cause: anyhow::Error,
    hint: Option<String>,
    exit: Exit,
}

impl Stop {
    /// The command could not start.
    pub(crate) fn not_started(cause: impl Into<anyhow::Error>) -> Self {
        Self {
            cause: cause.into(),
            hint: None,
            exit: Exit::NotStarted,
        }
    }

    /// The work failed.
    pub(crate) fn failed(cause: impl Into<anyhow::Error>) -> Self {
        Self {
            cause: cause.into(),
            hint: None,
            exit: Exit::Failed,
        }
    }

    /// Wrong usage: a sentence that says what was given and what is wrong with it.
    pub(crate) fn usage(sentence: impl fmt::Display) -> Self {
        Self::not_started(anyhow::anyhow!("{sentence}"))
    }

    /// Adds what to do, one sentence.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Ends with another exit code.
    #[must_use]
    pub(crate) fn with_exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// The exit code.
    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// What to do, if there is something to say.
    pub(crate) fn advice(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The sentences from the outermost to the root cause.
    pub(crate) fn sentences(&self) -> impl Iterator<Item = String> {
        self.cause
            .chain()
            .map(|cause| match cause.downcast_ref::<serde_json::Error>() {
                // Of a file that was edited by hand or is another one: serde would name Rust's types.
                Some(error) => trellis_core::plain_words(&error.to_string()),
                None => cause.to_string(),
            })
    }
}

impl From<trellis_node::NodeError> for Stop {
    fn from(error: trellis_node::NodeError) -> Self {
        let advice = error.advice();
        Self::not_started(error).hint(advice)
    }
}
