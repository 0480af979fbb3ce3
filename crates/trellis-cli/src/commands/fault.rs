//! Why an action ended early: kind, sentence with causes, advice and exit code, from any of the crates below.
//!
//! Told once, by [`tell`]: as `error:` and `hint:` for people, as an object for scripts.

use std::path::Path;

use trellis_closure::ClosureError;
use trellis_closure::lock::LockError as FlakeLockError;
use trellis_model_fetch::FetchError;
use trellis_models::LocateError;
use trellis_models::lock::LockError;
use trellis_models::repair::RepairError;

use crate::exit::{Exit, Stop};
use trellis_node::nearby;

/// Ends an action: a fault becomes the exit code and, with `--json`, the object on standard output.
pub(super) fn tell(outcome: Result<Exit, Fault>, json: bool) -> Result<Exit, Stop> {
    match outcome {
        Err(fault) if json => {
            super::print(&fault.to_json())?;
            Ok(fault.exit())
        }
        other => other.map_err(Stop::from),
    }
}

/// Prints a value as indented JSON.
pub(super) fn print_json(value: &impl serde::Serialize) -> Result<Exit, Fault> {
    let text = serde_json::to_string_pretty(value).map_err(Fault::internal)?;
    print(&format!("{text}\n"))
}

/// Prints an action's result.
pub(super) fn print(text: &str) -> Result<Exit, Fault> {
    super::print(text).map_err(Fault::output)
}

/// Why an action ended early.
#[derive(Debug)]
pub(super) struct Fault {
    kind: &'static str,
    advice: String,
    stop: Stop,
}

impl Fault {
    pub(super) fn new(kind: &'static str, advice: impl Into<String>, stop: Stop) -> Self {
        Self {
            kind,
            advice: advice.into(),
            stop,
        }
    }

    /// A file of ours that can't be written.
    pub(super) fn write(path: &Path, error: std::io::Error) -> Self {
        let cause = anyhow::Error::new(error).context(format!("`{}` cannot be written", path.display()));
        Self::new(
            "write",
            "make the folder writable for this user",
            Stop::failed(cause),
        )
    }

    /// The system gives no threads or no signals.
    pub(super) fn not_started(stop: Stop) -> Self {
        Self::new("not_started", "look at this user's limits", stop)
    }

    /// A person stopped it.
    pub(super) fn interrupted() -> Self {
        let advice = "run the same command again: it goes on where it stopped";
        Self::new(
            "interrupted",
            advice,
            Stop::failed(anyhow::anyhow!("stopped before it was done")),
        )
    }

    /// A defect of ours.
    pub(super) fn internal(error: impl Into<anyhow::Error>) -> Self {
        Self::new("internal", "report it with this message", Stop::failed(error))
    }

    /// Standard output failed.
    fn output(stop: Stop) -> Self {
        Self::new("output", "look at where the output goes", stop)
    }

    fn exit(&self) -> Exit {
        self.stop.exit()
    }

    /// The sentence with its causes, as one line.
    pub(super) fn sentence(&self) -> String {
        self.stop.sentences().collect::<Vec<_>>().join(": ")
    }

    /// One object, for scripts.
    fn to_json(&self) -> String {
        let error =
            serde_json::json!({ "kind": self.kind, "message": self.sentence(), "advice": self.advice });
        format!("{:#}\n", serde_json::json!({ "error": error }))
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        fault.stop.hint(fault.advice)
    }
}

impl From<LocateError> for Fault {
    fn from(error: LocateError) -> Self {
        Self::new(error.kind(), error.advice(), Stop::not_started(error))
    }
}

impl From<ClosureError> for Fault {
    fn from(error: ClosureError) -> Self {
        let nearby = match &error {
            ClosureError::Unreadable { path, source } => nearby::hint(path, source),
            _ => None,
        };
        let advice = nearby.unwrap_or_else(|| error.advice().to_owned());
        Self::new(error.kind(), advice, Stop::not_started(error))
    }
}

impl From<FlakeLockError> for Fault {
    fn from(error: FlakeLockError) -> Self {
        let nearby = match &error {
            // The default's name says nothing to somebody who is in the wrong folder.
            FlakeLockError::Unreadable { path, source } if path != Path::new(super::lock::FLAKE_LOCK) => {
                nearby::hint(path, source)
            }
            _ => None,
        };
        let advice = nearby.unwrap_or_else(|| error.advice().to_owned());
        let kind = error.kind();
        let stop = match error {
            FlakeLockError::Unreadable { .. } => Stop::not_started(error),
            _ => Stop::failed(error),
        };
        Self::new(kind, advice, stop)
    }
}

impl From<FetchError> for Fault {
    fn from(error: FetchError) -> Self {
        Self::new(error.kind(), error.advice(), Stop::failed(error))
    }
}

impl From<LockError> for Fault {
    fn from(error: LockError) -> Self {
        Self::new(error.kind(), error.advice(), Stop::failed(error))
    }
}

impl From<RepairError> for Fault {
    fn from(error: RepairError) -> Self {
        Self::new(error.kind(), error.advice(), Stop::failed(error))
    }
}
