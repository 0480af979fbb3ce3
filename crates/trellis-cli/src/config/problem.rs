//! What can be wrong with settings. All problems of a file are reported together.

use std::fmt;
use std::io;
use std::path::PathBuf;

use trellis_node::nearby;

use super::Origin;

/// One thing that is wrong.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigProblem {
    /// The file is not there or cannot be read.
    #[error("cannot read the settings file `{}`", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// It is not TOML.
    #[error("{}:{line}: this is not TOML: {message}", path.display())]
    Syntax {
        path: PathBuf,
        line: usize,
        message: String,
    },
    /// A key that is no setting.
    #[error("{origin}: `{key}` is not a setting")]
    Unknown {
        key: String,
        origin: Origin,
        nearest: Option<&'static str>,
    },
    /// A key of an earlier version.
    #[error("{origin}: `{key}` is no longer a setting")]
    Removed {
        key: &'static str,
        origin: Origin,
        advice: &'static str,
    },
    /// A value of the wrong kind or out of range.
    #[error("{origin}: `{key}` is {value}: {allowed} is expected")]
    Invalid {
        key: &'static str,
        value: String,
        origin: Origin,
        allowed: String,
    },
    /// No home folder, so no place for data.
    #[error("there is no data folder: neither `$STATE_DIRECTORY`, `$XDG_DATA_HOME` nor `$HOME` is set")]
    NoDataDir,
}

impl ConfigProblem {
    /// What to do, one sentence.
    pub(crate) fn advice(&self) -> String {
        match self {
            Self::Unreadable { path, source } => nearby::hint(path, source).unwrap_or_else(|| {
                "name a file that this user can read with `--config` or `$TRELLIS_CONFIG`".to_owned()
            }),
            Self::Syntax { .. } => "text values need quotes, and tables are written `[limits]`".to_owned(),
            Self::Unknown {
                nearest: Some(nearest),
                ..
            } => format!("did you mean `{nearest}`?"),
            Self::Unknown { nearest: None, .. } => "`trellis config show` prints every setting".to_owned(),
            Self::Removed { advice, .. } => (*advice).to_owned(),
            Self::Invalid { .. } => "correct the value or remove it to use the default".to_owned(),
            Self::NoDataDir => "name one with `--data-dir`".to_owned(),
        }
    }
}

/// Everything that is wrong, at least one.
#[derive(Debug)]
pub(crate) struct Problems(pub(crate) Vec<ConfigProblem>);

impl Problems {
    /// Whether the file could not even be read.
    pub(crate) fn unreadable(&self) -> bool {
        self.0
            .iter()
            .any(|problem| matches!(problem, ConfigProblem::Unreadable { .. }))
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [only] = self.0.as_slice() {
            return write!(f, "{}", Sentence(only));
        }
        write!(f, "{} settings are wrong:", self.0.len())?;
        for problem in &self.0 {
            write!(f, "\n  {}\n    hint: {}", Sentence(problem), problem.advice())?;
        }
        Ok(())
    }
}

/// A problem with what the system said of it, on one line.
struct Sentence<'a>(&'a ConfigProblem);

impl fmt::Display for Sentence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        match std::error::Error::source(self.0) {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Problems {}

impl From<Problems> for crate::error::CliError {
    fn from(problems: Problems) -> Self {
        let advice = match problems.0.as_slice() {
            [only] => Some(only.advice()),
            _ => None,
        };
        let error = Self::not_started(problems);
        match advice {
            Some(advice) => error.hint(advice),
            None => error,
        }
    }
}
