//! The quick part of the doctor at the start of a server.

use std::path::PathBuf;

use trellis_doctor::{Settings, quick, system_library_folders};
use trellis_pins::Pins;

use super::super::Context;
use super::{look, pinned_capability, prefix_of};
use crate::env;
use crate::exit::Stop;

/// Refuses where TRELLIS is to run, that is where a worker's Python is named, and cannot.
pub(crate) fn before_start(context: &Context<'_>) -> Result<(), Stop> {
    let python = context.environment.get(env::WORKER_PYTHON).map(PathBuf::from);
    let Some(root) = python.as_deref().and_then(prefix_of) else {
        return Ok(());
    };
    let library_folders = system_library_folders();
    let machine = look(context, &library_folders);
    let settings = Settings {
        capability: machine.capability().map_or_else(pinned_capability, Ok)?,
        library_folders,
        pins: Pins::embedded(),
    };
    quick(&root, &settings, &machine).map_err(|unfit| {
        let hint = format!("{}; `--skip-doctor` starts anyway", unfit.advice());
        Stop::not_started(unfit).hint(hint)
    })
}
