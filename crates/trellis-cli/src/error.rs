//! Why a command or one of its tasks ended early: kind, message with its causes, hint, exit code.
//!
//! Every error of the crates below becomes this one, here; it is told as `error:` and `hint:` to people
//! (`output.rs`) and as an object to scripts.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::io;
use std::path::Path;

use trellis_client::ClientError;
use trellis_closure::ClosureError;
use trellis_closure::lock::LockError as FlakeLockError;
use trellis_core::{Explain, Failure, GenerateError, plain_words};
use trellis_model_fetch::{FetchError, RepairFailure};
use trellis_models::LocateError;
use trellis_models::lock::LockError;
use trellis_models::repair::RepairError;
use trellis_node::{NodeError, nearby};

use crate::env;
use crate::exit::Exit;

/// What to do about an answer that is not the contract's.
const NOT_UNDERSTOOD: &str = "check that `--server` is a trellis server of this version";

/// Why a command or one of its tasks ended early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CliError {
    kind: Cow<'static, str>,
    message: String,
    /// From the nearest to the root.
    causes: Vec<String>,
    hint: Option<String>,
    exit: Exit,
}

impl CliError {
    /// An error without a cause. `kind` is its stable name.
    pub(crate) fn new(kind: impl Into<Cow<'static, str>>, exit: Exit, message: impl fmt::Display) -> Self {
        Self {
            kind: kind.into(),
            message: message.to_string(),
            causes: Vec::new(),
            hint: None,
            exit,
        }
    }

    /// Wrong usage: a sentence that says what was given and what is wrong with it.
    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self::new("usage", Exit::NotStarted, message)
    }

    /// The command could not start.
    pub(crate) fn not_started(error: impl Error + 'static) -> Self {
        Self::of("not_started", Exit::NotStarted, &error)
    }

    /// The work failed.
    pub(crate) fn failed(error: impl Error + 'static) -> Self {
        Self::of("failed", Exit::Failed, &error)
    }

    /// A file cannot be read, or what is in it is wrong: the command could not start.
    pub(crate) fn unreadable(path: &Path, error: &io::Error) -> Self {
        Self::of("unreadable", Exit::NotStarted, error)
            .context(format!("cannot read `{}`", path.display()))
            .hint("check the file's permissions")
            .hint_nearby(path, error)
    }

    /// A file of ours that can't be written.
    pub(crate) fn write(path: &Path, error: &io::Error) -> Self {
        Self::of("write", Exit::Failed, error)
            .context(format!("`{}` cannot be written", path.display()))
            .hint("make the folder writable for this user")
    }

    /// The answer of a server is not what the contract says.
    pub(crate) fn not_understood(message: impl fmt::Display) -> Self {
        Self::new("not_understood", Exit::Failed, message).hint(NOT_UNDERSTOOD)
    }

    /// A person stopped it.
    pub(crate) fn interrupted(hint: &str) -> Self {
        Self::new("interrupted", Exit::Failed, "stopped before it was done").hint(hint)
    }

    /// A defect of ours.
    pub(crate) fn internal(error: impl Error + 'static) -> Self {
        Self::failed(error)
            .kind("internal")
            .hint("report it with this message")
    }

    /// An error that explains itself.
    pub(crate) fn explained(exit: Exit, error: &(impl Explain + 'static)) -> Self {
        Self::of(error.kind(), exit, error).hint(error.advice())
    }

    /// An error with its causes.
    fn of(kind: &'static str, exit: Exit, error: &(dyn Error + 'static)) -> Self {
        let sentence = |error: &(dyn Error + 'static)| match error.downcast_ref::<serde_json::Error>() {
            // Of a file that was edited by hand or is another one: serde would name Rust's types.
            Some(error) => plain_words(&error.to_string()),
            None => error.to_string(),
        };
        let mut causes = Vec::new();
        let mut next = error.source();
        while let Some(cause) = next {
            causes.push(sentence(cause));
            next = cause.source();
        }
        Self {
            causes,
            ..Self::new(kind, exit, sentence(error))
        }
    }

    /// Gives it another name.
    #[must_use]
    pub(crate) fn kind(mut self, kind: impl Into<Cow<'static, str>>) -> Self {
        self.kind = kind.into();
        self
    }

    /// Says above it what it is about; the message so far becomes the first cause.
    #[must_use]
    pub(crate) fn context(mut self, message: impl fmt::Display) -> Self {
        let cause = std::mem::replace(&mut self.message, message.to_string());
        self.causes.insert(0, cause);
        self
    }

    /// Adds what to do, one sentence.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says instead what there is near a path that leads nowhere.
    fn hint_nearby(self, path: &Path, error: &io::Error) -> Self {
        match nearby::hint(path, error) {
            Some(hint) => self.hint(hint),
            None => self,
        }
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

    /// The stable name.
    pub(crate) fn name(&self) -> &str {
        &self.kind
    }

    /// What to do; empty where there is nothing to say.
    pub(crate) fn advice(&self) -> &str {
        self.hint.as_deref().unwrap_or_default()
    }

    /// The sentences from the outermost to the root cause.
    pub(crate) fn sentences(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.message)
            .chain(&self.causes)
            .map(String::as_str)
    }

    /// The same, as one line.
    pub(crate) fn sentence(&self) -> String {
        self.sentences().collect::<Vec<_>>().join(": ")
    }

    /// One object, for scripts.
    pub(crate) fn to_json(&self) -> String {
        let error =
            serde_json::json!({ "kind": self.kind, "message": self.sentence(), "advice": self.advice() });
        format!("{:#}\n", serde_json::json!({ "error": error }))
    }
}

impl From<Failure> for CliError {
    fn from(failure: Failure) -> Self {
        Self::new(failure.kind.name(), Exit::Failed, failure.message).hint(failure.fix)
    }
}

impl From<GenerateError> for CliError {
    fn from(error: GenerateError) -> Self {
        match error {
            GenerateError::Cancelled => Self::interrupted("run the command again"),
            GenerateError::Failed(failure) => failure.into(),
        }
    }
}

impl From<ClientError> for CliError {
    fn from(error: ClientError) -> Self {
        let hint = match &error {
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
            ClientError::Busy { problem, .. } | ClientError::Refused(problem) => {
                let fix = problem.fix.clone();
                fix.unwrap_or_else(|| "look at the server's log".to_owned())
            }
            ClientError::NotKept { .. } => "free disk space in the folder for temporary files".to_owned(),
            ClientError::NotUnderstood { .. } | ClientError::Damaged { .. } => NOT_UNDERSTOOD.to_owned(),
        };
        Self::new(error.kind().to_owned(), Exit::Failed, &error).hint(hint)
    }
}

impl From<NodeError> for CliError {
    fn from(error: NodeError) -> Self {
        let (kind, advice) = (error.kind(), error.advice());
        Self::not_started(error).kind(kind).hint(advice)
    }
}

impl From<RepairFailure> for CliError {
    fn from(failure: RepairFailure) -> Self {
        match failure {
            RepairFailure::Fetch(error) => error.into(),
            RepairFailure::Repair(error) => error.into(),
        }
    }
}

impl From<ClosureError> for CliError {
    fn from(error: ClosureError) -> Self {
        let told = Self::explained(Exit::NotStarted, &error);
        match &error {
            ClosureError::Unreadable { path, source } => told.hint_nearby(path, source),
            _ => told,
        }
    }
}

impl From<FlakeLockError> for CliError {
    fn from(error: FlakeLockError) -> Self {
        match &error {
            FlakeLockError::Unreadable { path, source } => {
                Self::explained(Exit::NotStarted, &error).hint_nearby(path, source)
            }
            _ => Self::explained(Exit::Failed, &error),
        }
    }
}

/// Errors that explain themselves, each with how a command ends by it.
macro_rules! explained {
    ($($error:ty: $exit:ident),+ $(,)?) => {$(
        impl From<$error> for CliError {
            fn from(error: $error) -> Self {
                Self::explained(Exit::$exit, &error)
            }
        }
    )+};
}
explained! {
    FetchError: Failed,
    LocateError: NotStarted,
    LockError: Failed,
    RepairError: Failed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_kept_apart_for_people_and_joined_for_scripts() {
        let error = CliError::failed(io::Error::other("the disk is gone"))
            .context("cannot write `x`")
            .kind("write")
            .hint("look at the disk");
        let sentences: Vec<&str> = error.sentences().collect();
        assert_eq!(sentences, ["cannot write `x`", "the disk is gone"]);
        let json: serde_json::Value = serde_json::from_str(&error.to_json()).unwrap();
        assert_eq!(
            json["error"],
            serde_json::json!({
                "kind": "write", "message": "cannot write `x`: the disk is gone", "advice": "look at the disk",
            })
        );
    }

    #[test]
    fn json_that_was_edited_by_hand_is_told_without_rusts_words() {
        let error = serde_json::from_str::<Vec<u8>>("{}").unwrap_err();
        assert!(error.to_string().contains("sequence"), "{error}");
        let told = CliError::failed(error).sentence();
        assert!(!told.contains("sequence"), "{told}");
    }
}
