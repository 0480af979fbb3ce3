//! The quick part of the doctor at the start of a server.

use std::path::{Path, PathBuf};

use trellis_core::{Explain as _, Model};
use trellis_doctor::{Settings, environment_of, quick, system_library_folders};
use trellis_pins::Pins;

use super::super::Context;
use super::environment::worker_python;
use super::model::unloadable;
use super::{look, pinned_capability};
use crate::env;
use crate::error::CliError;

/// Refuses where TRELLIS is to run, that is where a model folder or a worker's Python is named, and cannot.
pub(crate) fn before_start(context: &Context<'_>, node: &trellis_node::Settings) -> Result<(), CliError> {
    for (folder, model) in [
        (&node.trellis.model, Model::TrellisImageLarge),
        (&node.trellis2.model, Model::Trellis2),
    ] {
        check_model(folder, model, context)?;
    }
    let python = context.environment.get(env::WORKER_PYTHON).map(PathBuf::from);
    let Some(python) = python.filter(|python| !python.as_os_str().is_empty()) else {
        return Ok(());
    };
    let program = worker_python(&python, context).map_err(|error| {
        let hint = format!("{}; `--skip-doctor` starts anyway", error.advice());
        CliError::not_started(error).hint(hint)
    })?;
    let library_folders = system_library_folders();
    let machine = look(context, &library_folders);
    let settings = Settings {
        capability: machine.capability().map_or_else(pinned_capability, Ok)?,
        library_folders,
        pins: Pins::embedded(),
    };
    quick(environment_of(&program).as_deref(), &settings, &machine).map_err(|unfit| {
        let hint = format!("{}; `--skip-doctor` starts anyway", unfit.advice());
        CliError::not_started(unfit).hint(hint)
    })
}

/// Refuses a folder that the workers of `model` could not load; one that is not named is none.
fn check_model(folder: &Path, model: Model, context: &Context<'_>) -> Result<(), CliError> {
    let lines = if folder.as_os_str().is_empty() {
        Vec::new()
    } else {
        unloadable(folder, model, context)
    };
    if lines.is_empty() {
        return Ok(());
    }
    let told = format!(
        "the model folder `{}` cannot be loaded\n{}",
        folder.display(),
        lines.join("\n")
    );
    let hint = "do as the lines with → say; `trellis model check` has the whole report; `--skip-doctor` starts anyway";
    Err(CliError::usage(told).hint(hint))
}
