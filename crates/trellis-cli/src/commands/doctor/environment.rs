//! Which environment is meant: the one that `--env` names, else the one of a variable.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use trellis_core::Explain as _;
use trellis_doctor::probe;
use trellis_doctor::{Environment, EnvironmentError, environment_of};

use super::super::Context;
use crate::env;
use crate::error::CliError;

/// What there is to look at.
pub(super) enum Meant {
    /// An environment.
    Here(Environment),
    /// Nothing names one.
    None,
    /// This interpreter is named, and files do not tell its environment.
    Untold(PathBuf),
    /// The name to tell it by, and what is wrong with it.
    Unusable(String, EnvironmentError),
}

impl Meant {
    /// Asks the interpreter, where files do not tell.
    pub(super) fn asked(self, limit: Duration) -> Self {
        let Self::Untold(python) = self else {
            return self;
        };
        let told = probe::environment_of(&python, limit);
        match told.and_then(|root| Environment::discover(&root).ok()) {
            Some(environment) => Self::Here(environment),
            None => Self::Untold(python),
        }
    }
}

/// The environment that was asked for, else the one that variables name. A path on the command line that is no
/// environment is wrong usage; all else is for the report to say.
pub(super) fn meant(asked: Option<&Path>, context: &Context<'_>) -> Result<Meant, CliError> {
    let Some(root) = asked else {
        return Ok(from_variables(context));
    };
    match Environment::discover(root) {
        Ok(environment) => Ok(Meant::Here(environment)),
        Err(error @ (EnvironmentError::InterpreterGone { .. } | EnvironmentError::OtherPython { .. })) => {
            Ok(Meant::Unusable(root.display().to_string(), error))
        }
        Err(error) => {
            let advice = above(root).map_or_else(
                || error.advice().into_owned(),
                |above| format!("did you mean `{}`?", above.display()),
            );
            Err(CliError::not_started(error).hint(advice))
        }
    }
}

/// The environment that a path leads into, such as `/env` for `/env/bin/python3` or `/env/lib/python3.12`.
fn above(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    let above = path.ancestors().skip(1).take(3);
    let mut own = above.filter(|root| root.parent().is_some() && !root.ends_with("usr"));
    own.find(|root| Environment::discover(root).is_ok())
        .map(Path::to_owned)
}

fn from_variables(context: &Context<'_>) -> Meant {
    let named = |name: &str| {
        let value = context.environment.get(name).filter(|value| !value.is_empty());
        value.map(PathBuf::from)
    };
    if let Some(python) = named(env::WORKER_PYTHON) {
        return of_worker(&python, context);
    }
    for variable in [env::VIRTUAL_ENV, env::CONDA_PREFIX] {
        let Some(path) = named(variable) else { continue };
        return match Environment::discover(&path) {
            Ok(environment) => Meant::Here(environment),
            Err(EnvironmentError::Unreadable { .. }) => Meant::Unusable(
                variable.to_owned(),
                EnvironmentError::NamedUnreadable { variable, path },
            ),
            Err(error) => Meant::Unusable(variable.to_owned(), error),
        };
    }
    Meant::None
}

fn of_worker(python: &Path, context: &Context<'_>) -> Meant {
    let told = |error| Meant::Unusable(env::WORKER_PYTHON.to_owned(), error);
    let program = match worker_python(python, context) {
        Ok(program) => program,
        Err(error) => return told(error),
    };
    match environment_of(&program).map(|root| Environment::discover(&root)) {
        Some(Ok(environment)) => Meant::Here(environment),
        Some(Err(error)) => told(error),
        None => Meant::Untold(python.to_owned()),
    }
}

/// The program that `$TRELLIS_WORKER_PYTHON` names, found in `$PATH` if need be, if it is there and may be run.
pub(super) fn worker_python(python: &Path, context: &Context<'_>) -> Result<PathBuf, EnvironmentError> {
    let wrong = |reason| EnvironmentError::NoInterpreter {
        variable: env::WORKER_PYTHON,
        path: python.to_owned(),
        reason,
    };
    if python.components().count() == 1 && !python.is_absolute() && !python.starts_with(".") {
        let path = context.environment.get(env::PATH).unwrap_or_default();
        let mut found = std::env::split_paths(path).map(|folder| folder.join(python));
        return found
            .find(|program| may_be_run(program))
            .ok_or_else(|| wrong("is in no folder of `PATH`"));
    }
    // Of a whole environment more is known: that its link leads nowhere, for one.
    if let Some(root) = python
        .parent()
        .and_then(Path::parent)
        .filter(|root| !root.as_os_str().is_empty())
        && let Err(error @ EnvironmentError::InterpreterGone { .. }) = Environment::discover(root)
    {
        return Err(error);
    }
    match python.metadata() {
        Err(_) if python.is_symlink() => Err(wrong("is a broken link")),
        Err(_) => Err(wrong("does not exist")),
        Ok(there) if !there.is_file() => Err(wrong("is not a file")),
        Ok(_) if !may_be_run(python) => Err(wrong("may not be executed")),
        Ok(_) => Ok(python.to_owned()),
    }
}

fn may_be_run(program: &Path) -> bool {
    program
        .metadata()
        .is_ok_and(|there| there.is_file() && there.permissions().mode() & 0o111 != 0)
}
