//! What is wrong with an environment as a whole, before anything in it is looked at.

use std::io;
use std::path::PathBuf;

use super::PythonVersion;
use crate::finding::{Level, diagnoses};

diagnoses! {
    /// Why a path is no environment.
    #[expect(missing_docs, reason = "each variant's sentence says what its fields are")]
    pub enum EnvironmentError {
        #[error("cannot read the environment {}", path.display())]
        Unreadable { path: PathBuf, #[source] source: io::Error } = "environment_unreadable", Level::Error,
            "name a folder that exists and that you may read";
        /// A virtual environment whose Python was removed or moved: nothing else of it matters.
        #[error("the interpreter of {} is gone: {what}", path.display())]
        InterpreterGone { path: PathBuf, what: String } = "interpreter_gone", Level::Error,
            "reinstall that Python, or recreate the environment with an installed one";
        #[error("`{variable}` names `{}`, which {reason}", path.display())]
        NoInterpreter { variable: String, path: PathBuf, reason: &'static str } = "interpreter_missing", Level::Error,
            "name the `bin/python3` of the environment that has TRELLIS, or leave it out";
        #[error("`{variable}` names `{}`, which cannot be read", path.display())]
        NamedUnreadable { variable: &'static str, path: PathBuf } = "environment_unreadable", Level::Error,
            "name an environment that exists, or unset the variable";
        /// The packages, by their folder, are for another Python than that of `pyvenv.cfg` or of the program's name.
        #[error("the packages of {} are for Python {packages}, and its interpreter is {interpreter}", path.display())]
        OtherPython { path: PathBuf, packages: PythonVersion, interpreter: PythonVersion } = "packages_of_other_python", Level::Error,
            "recreate the environment: packages do not move from one Python to another";
        #[error("{} has no Python packages", path.display())]
        NoPackages { path: PathBuf } = "no_packages", Level::Error,
            "name a virtual environment, a conda prefix, a Nix store path or a `site-packages` folder";
        /// An interpreter is named, and its files do not tell which environment it runs.
        #[error("`{variable}` names `{}`, and its environment cannot be found from files: it was not checked", python.display())]
        Untold { variable: &'static str, python: PathBuf } = "environment_untold", Level::Warn,
            "name the environment with `--env`, or ask the interpreter for it with `--probe`";
    }
}
