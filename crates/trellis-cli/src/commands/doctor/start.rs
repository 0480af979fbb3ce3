//! The quick part of the doctor at the start of a server.

use std::path::{Path, PathBuf};

use trellis_core::Explain as _;
use trellis_doctor::{Settings, environment_of, quick, system_library_folders};
use trellis_pins::Pins;

use super::super::Context;
use super::environment::worker_python;
use super::model::unloadable;
use super::{look, pinned_capability};
use crate::env;
use crate::error::CliError;

/// Refuses where TRELLIS is to run, that is where a model folder or a worker's Python is named, and cannot.
pub(crate) fn before_start(context: &Context<'_>, model: &Path) -> Result<(), CliError> {
    let lines = if model.as_os_str().is_empty() {
        Vec::new()
    } else {
        unloadable(model, context)
    };
    if !lines.is_empty() {
        let told = format!(
            "the model folder `{}` cannot be loaded\n{}",
            model.display(),
            lines.join("\n")
        );
        return Err(CliError::usage(told).hint(
            "do as the lines with → say; `trellis model check` has the whole report; `--skip-doctor` starts anyway",
        ));
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
