//! Looks at one environment: every check that needs its files and nothing else.

use std::path::{Path, PathBuf};

use trellis_pins::Pins;

use crate::environment::{Environment, EnvironmentError};
use crate::gpu::{self, Machine};
use crate::library_index::LibraryIndex;
use crate::packages::Packages;
use crate::report::Report;
use crate::{abi, code, imports, records, triton, versions};
use trellis_core::{Capability, Model};

/// What to judge by.
#[derive(Debug, Clone)]
pub struct Settings<'pins> {
    /// The GPU to judge for.
    pub capability: Capability,
    /// Folders where the dynamic linker looks last.
    pub library_folders: Vec<PathBuf>,
    /// The pinned set, with the symbols that tell a torch from another.
    pub pins: &'pins Pins,
    /// The model that the environment is meant for; none: those whose code is in it.
    pub model: Option<Model>,
}

impl Settings<'_> {
    /// The models that are to run: the one that is meant, else those `found`.
    pub fn to_run(&self, found: &[Model]) -> Vec<Model> {
        self.model.map_or_else(|| found.to_vec(), |meant| vec![meant])
    }
}

/// Reads the environment and reports.
pub fn examine(environment: &Environment, settings: &Settings<'_>) -> Report {
    let packages = Packages::read(&environment.package_folders());
    let index = LibraryIndex::fill(environment, &settings.library_folders);
    let mut report = Report::new(settings.capability);
    report.environment = Some(environment.root.clone());
    report.python = environment.python;
    report.models = imports::models(environment, settings.model);
    let (reached, missing) = imports::check(environment, &packages, settings.pins, &report.models);
    report.add(missing);
    report.add(records::check(&packages, &reached));
    report.add(abi::check(
        environment,
        &index,
        &packages,
        &reached,
        settings.pins,
    ));
    let (libraries, findings) = code::check(&index, &packages, settings.capability);
    report.libraries = libraries;
    report.add(findings);
    let versions = versions::check(environment, &packages, settings.pins, &report.models);
    report.add(versions);
    report
}

trellis_core::explained! {
    /// Why TRELLIS must not be started.
    #[derive(Debug, thiserror::Error)]
    #[expect(missing_docs, reason = "each variant's sentence says what its fields are")]
    pub enum Unfit {
        /// There is no environment to run it in.
        #[error(transparent)]
        Environment { #[from] source: EnvironmentError } = source.kind(), source.advice();
        /// The doctor found errors, which are told in the lines of its report.
        #[error("TRELLIS cannot run here\n{}", errors.trim_end())]
        Errors { errors: String } = "unfit", "follow the lines with →; `trellis doctor` has the whole report";
    }
}

/// The quick part, for the start of a server: the environment's files, where it is known, driver and GPU. Starts no
/// process.
pub fn quick(root: Option<&Path>, settings: &Settings<'_>, machine: &Machine) -> Result<(), Unfit> {
    let mut report = if let Some(root) = root {
        examine(&Environment::discover(root)?, settings)
    } else {
        Report::new(settings.capability)
    };
    let models = settings.to_run(&report.models);
    let wanted = gpu::Wanted {
        capability: settings.capability,
        cuda: &settings.pins.cuda,
        models: &models,
    };
    report.add(gpu::check(machine, &wanted, gpu::Target::Anywhere));
    report.add(triton::of_gpus(&machine.capabilities(), &models));
    match report.refusal() {
        Some(errors) => Err(Unfit::Errors { errors }),
        None => Ok(()),
    }
}

/// Where the dynamic linker of common systems looks last: Debian's, Fedora's and plain layouts. On NixOS
/// none exists, and libraries name their needs by full paths.
pub fn system_library_folders() -> Vec<PathBuf> {
    let multiarch = format!("{}-linux-gnu", std::env::consts::ARCH);
    let folders = [
        format!("/lib/{multiarch}"),
        format!("/usr/lib/{multiarch}"),
        "/lib64".to_owned(),
        "/usr/lib64".to_owned(),
        "/lib".to_owned(),
        "/usr/lib".to_owned(),
        "/usr/local/lib".to_owned(),
    ];
    folders
        .map(PathBuf::from)
        .into_iter()
        .filter(|folder| folder.is_dir())
        .collect()
}
