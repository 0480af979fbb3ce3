//! Which environment is meant: the one that `--env` names, else the one of a variable; and of which model.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use trellis_core::{Explain as _, Model};
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
    /// This variable names this interpreter, and files do not tell its environment.
    Untold(&'static str, PathBuf),
    /// The name to tell it by, and what is wrong with it.
    Unusable(String, EnvironmentError),
}

impl Meant {
    /// Asks the interpreter, where files do not tell.
    pub(super) fn asked(self, limit: Duration) -> Self {
        let Self::Untold(variable, python) = self else {
            return self;
        };
        let told = probe::environment_of(&python, limit);
        match told.and_then(|root| Environment::discover(&root).ok()) {
            Some(environment) => Self::Here(environment),
            None => Self::Untold(variable, python),
        }
    }
}

/// The variables that name a model's Python and its folder.
pub(super) fn variables_of(model: Model) -> (&'static str, &'static str) {
    match model {
        Model::TrellisImageLarge => (env::WORKER_PYTHON, env::MODEL_PATH),
        Model::Trellis2 => (env::TRELLIS2_PYTHON, env::TRELLIS2_MODEL_PATH),
    }
}

/// The model whose variables count: the usual one, unless only another's are set.
pub(super) fn named_model(context: &Context<'_>) -> Model {
    let is_named = |model: Model| {
        let (python, folder) = variables_of(model);
        named(python, context).or(named(folder, context)).is_some()
    };
    let second = !is_named(Model::TrellisImageLarge) && is_named(Model::Trellis2);
    if second {
        Model::Trellis2
    } else {
        Model::TrellisImageLarge
    }
}

/// What a variable names.
pub(super) fn named(variable: &str, context: &Context<'_>) -> Option<PathBuf> {
    let value = context.environment.get(variable);
    value.filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The environment that was asked for, else the one that variables name, `variable` first. A path on the command line that
/// is no environment is wrong usage; all else is for the report to say.
pub(super) fn meant(
    asked: Option<&Path>,
    variable: &'static str,
    context: &Context<'_>,
) -> Result<Meant, CliError> {
    let Some(root) = asked else {
        return Ok(from_variables(variable, context));
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

fn from_variables(of_model: &'static str, context: &Context<'_>) -> Meant {
    if let Some(python) = named(of_model, context) {
        return of_worker(&python, of_model, context);
    }
    for variable in [env::VIRTUAL_ENV, env::CONDA_PREFIX] {
        let Some(path) = named(variable, context) else {
            continue;
        };
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

fn of_worker(python: &Path, variable: &'static str, context: &Context<'_>) -> Meant {
    let told = |error| Meant::Unusable(variable.to_owned(), error);
    let program = match worker_python(python, variable, context) {
        Ok(program) => program,
        Err(error) => return told(error),
    };
    match environment_of(&program).map(|root| Environment::discover(&root)) {
        Some(Ok(environment)) => Meant::Here(environment),
        Some(Err(error)) => told(error),
        None => Meant::Untold(variable, python.to_owned()),
    }
}

/// The program that a worker's `python` is, found in `$PATH` if need be, if it is there and may be run. `named_by`: the
/// variable or flag that names it.
pub(super) fn worker_python(
    python: &Path,
    named_by: &str,
    context: &Context<'_>,
) -> Result<PathBuf, EnvironmentError> {
    let wrong = |reason| EnvironmentError::NoInterpreter {
        variable: named_by.to_owned(),
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
