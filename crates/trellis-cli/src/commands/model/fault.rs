//! Why an action ended early: kind, sentence with causes, advice and exit code, from any of the crates below.

use std::path::Path;

use trellis_model_fetch::FetchError;
use trellis_models::LocateError;
use trellis_models::lock::LockError;
use trellis_models::repair::RepairError;

use crate::exit::{Exit, Stop};

/// Why an action ended early.
#[derive(Debug)]
pub(super) struct Fault {
    kind: &'static str,
    advice: String,
    stop: Stop,
}

impl Fault {
    fn new(kind: &'static str, advice: impl Into<String>, stop: Stop) -> Self {
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
    pub(super) fn output(stop: Stop) -> Self {
        Self::new("output", "look at where the output goes", stop)
    }

    pub(super) fn exit(&self) -> Exit {
        self.stop.exit()
    }

    /// The sentence with its causes, as one line.
    pub(super) fn sentence(&self) -> String {
        self.stop.sentences().collect::<Vec<_>>().join(": ")
    }

    /// One object, for scripts.
    pub(super) fn to_json(&self) -> String {
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
