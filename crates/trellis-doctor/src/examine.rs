//! Looks at one environment: every check that needs its files and nothing else.

use std::path::PathBuf;

use crate::abi::{self, Telltale};
use crate::code;
use crate::code::arch::Capability;
use crate::environment::Environment;
use crate::packages::Packages;
use crate::report::Report;
use crate::shelf::Shelf;

/// What to judge by.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The GPU to judge for.
    pub capability: Capability,
    /// Folders where the dynamic linker looks last, such as `/usr/lib/x86_64-linux-gnu`.
    pub library_folders: Vec<PathBuf>,
    /// Symbols that tell which version of a package defines them.
    pub telltales: Vec<Telltale>,
}

/// Reads the environment and reports.
pub fn examine(environment: &Environment, settings: &Settings) -> Report {
    let packages = Packages::read(&environment.site_packages);
    let shelf = Shelf::fill(environment, &settings.library_folders);
    let mut report = Report::new(settings.capability);
    report.environment = Some(environment.root.clone());
    report.python = environment.python;
    report.add(abi::check(environment, &shelf, &packages, &settings.telltales));
    let (libraries, findings) = code::check(&shelf, &packages, settings.capability);
    report.libraries = libraries;
    report.add(findings);
    report
}
