//! The quick part of the doctor at the start of a server.

use std::path::Path;

use trellis_core::{Explain as _, Model};
use trellis_doctor::{Settings, environment_of, quick, system_library_folders};
use trellis_pins::Pins;

use super::super::Context;
use super::environment::worker_python;
use super::model::unloadable;
use super::{look, pinned_capability};
use crate::config::Effective;
use crate::error::CliError;

/// What a model's workers are started with.
struct Served<'a> {
    model: Model,
    folder: &'a Path,
    python: &'a Path,
    /// The flag, variable or key that names the Python; none: nobody named one.
    named_by: Option<String>,
}

impl Served<'_> {
    fn has_folder(&self) -> bool {
        !self.folder.as_os_str().is_empty()
    }
}

/// Refuses where a model is to run, that is where its folder or its workers' Python is named, and cannot.
pub(crate) fn before_start(context: &Context<'_>, effective: &Effective) -> Result<(), CliError> {
    let node = &effective.config.node;
    let first = Served {
        model: Model::TrellisImageLarge,
        folder: &node.trellis.model,
        python: &node.trellis.python,
        named_by: effective.named_by("trellis.python"),
    };
    let second = Served {
        model: Model::Trellis2,
        folder: &node.trellis2.model,
        python: &node.trellis2.python,
        // Without its folder no worker of it starts.
        named_by: effective
            .named_by("trellis2.python")
            .filter(|_| !node.trellis2.model.as_os_str().is_empty()),
    };
    for served in [&first, &second] {
        check_model(served, context)?;
    }
    for served in [&first, &second] {
        check_python(served, context)?;
    }
    Ok(())
}

/// Refuses a Python that is not there, an environment in which the model cannot run, and a machine that is not for it.
fn check_python(served: &Served<'_>, context: &Context<'_>) -> Result<(), CliError> {
    let Some(named_by) = &served.named_by else {
        return Ok(());
    };
    let program = worker_python(served.python, named_by, context).map_err(|error| {
        let hint = format!("{}; `--skip-doctor` starts anyway", error.advice());
        CliError::not_started(error).hint(hint)
    })?;
    let library_folders = system_library_folders();
    let machine = look(context, &library_folders);
    let settings = Settings {
        capability: machine.capability().map_or_else(pinned_capability, Ok)?,
        library_folders,
        pins: Pins::embedded(),
        model: served.has_folder().then_some(served.model),
    };
    quick(environment_of(&program).as_deref(), &settings, &machine).map_err(|unfit| {
        let hint = format!("{}; `--skip-doctor` starts anyway", unfit.advice());
        CliError::not_started(unfit).hint(hint)
    })
}

/// Refuses a folder that the workers of the model could not load; one that is not named is none.
fn check_model(served: &Served<'_>, context: &Context<'_>) -> Result<(), CliError> {
    let lines = if served.has_folder() {
        unloadable(served.folder, served.model, context)
    } else {
        Vec::new()
    };
    if lines.is_empty() {
        return Ok(());
    }
    let told = format!(
        "the model folder `{}` cannot be loaded\n{}",
        served.folder.display(),
        lines.join("\n")
    );
    let hint = "do as the lines with → say; `trellis model check` has the whole report; `--skip-doctor` starts anyway";
    Err(CliError::usage(told).hint(hint))
}
