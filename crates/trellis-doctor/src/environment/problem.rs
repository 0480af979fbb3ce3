//! What is wrong with an environment as a whole, before anything in it is looked at.

use std::io;
use std::path::PathBuf;

use super::PythonVersion;
use crate::finding::{Diagnosis, Level};

/// Why a path is no environment.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// Nothing is there, or it may not be read.
    #[error("cannot read the environment {}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A virtual environment whose Python was removed or moved: nothing else of it matters.
    #[error("the interpreter of {} is gone: {what}", path.display())]
    InterpreterGone {
        /// The environment.
        path: PathBuf,
        /// What leads nowhere.
        what: String,
    },
    /// A variable names an interpreter that does not exist.
    #[error("`{variable}` names `{}`, which {reason}", path.display())]
    NoInterpreter {
        /// The variable.
        variable: &'static str,
        /// Its value.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A variable names an environment that does not exist.
    #[error("`{variable}` names `{}`, which cannot be read", path.display())]
    NamedUnreadable {
        /// The variable.
        variable: &'static str,
        /// Its value.
        path: PathBuf,
    },
    /// The packages are those of a Python before or after the one that would run.
    #[error("the packages of {} are for Python {packages}, and its interpreter is {interpreter}", path.display())]
    OtherPython {
        /// The environment.
        path: PathBuf,
        /// By their folder.
        packages: PythonVersion,
        /// By `pyvenv.cfg` or the name of the program.
        interpreter: PythonVersion,
    },
    /// A folder without packages.
    #[error("{} has no Python packages", path.display())]
    NoPackages {
        /// Which.
        path: PathBuf,
    },
}

impl EnvironmentError {
    /// What to do, one sentence.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::InterpreterGone { .. } => {
                "reinstall that Python, or recreate the environment with an installed one"
            }
            Self::NoInterpreter { .. } => {
                "name the `bin/python3` of the environment that has TRELLIS, or unset the variable"
            }
            Self::NamedUnreadable { .. } => "name an environment that exists, or unset the variable",
            Self::OtherPython { .. } => {
                "recreate the environment: packages do not move from one Python to another"
            }
            Self::Unreadable { .. } => "name a folder that exists and that you may read",
            Self::NoPackages { .. } => {
                "name a virtual environment, a conda prefix, a Nix store path or a `site-packages` folder"
            }
        }
    }
}

impl Diagnosis for EnvironmentError {
    fn kind(&self) -> &'static str {
        match self {
            Self::InterpreterGone { .. } => "interpreter_gone",
            Self::NoInterpreter { .. } => "interpreter_missing",
            Self::Unreadable { .. } | Self::NamedUnreadable { .. } => "environment_unreadable",
            Self::OtherPython { .. } => "packages_of_other_python",
            Self::NoPackages { .. } => "no_packages",
        }
    }

    fn level(&self) -> Level {
        Level::Error
    }

    fn advice(&self) -> String {
        self.advice().to_owned()
    }
}

/// An interpreter is named, and its files do not tell which environment it runs.
#[derive(Debug, thiserror::Error)]
#[error("`{variable}` names `{}`, and its environment cannot be found from files: it was not checked", python.display())]
pub struct EnvironmentUntold {
    /// The variable.
    pub variable: &'static str,
    /// Its value.
    pub python: PathBuf,
}

impl Diagnosis for EnvironmentUntold {
    fn kind(&self) -> &'static str {
        "environment_untold"
    }

    fn level(&self) -> Level {
        Level::Warn
    }

    fn advice(&self) -> String {
        "name the environment with `--env`, or ask the interpreter for it with `--probe`".to_owned()
    }
}
