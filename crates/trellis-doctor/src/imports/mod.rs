//! Is everything here that TRELLIS or TRELLIS.2 imports, at start-up and in a job?
//!
//! Import statements that always run are followed by files, from their own modules (`seeds.rs`) through all
//! packages (`walk.rs`, `finder.rs`, `statements.rs`); packages that are compiled must have their libraries
//! (`libraries.rs`). What is imported in a function or under a condition is known for TRELLIS only: `--probe`
//! runs the rest.

mod finder;
mod libraries;
mod problem;
mod seeds;
mod standard;
mod statements;
mod walk;

use std::collections::{BTreeMap, BTreeSet};

use trellis_core::Model;
use trellis_pins::Pins;

use self::finder::{Finder, Found};
use self::problem::ImportProblem;
use self::seeds::{outermost, published};
use self::walk::Missing;
use crate::environment::Environment;
use crate::finding::{Check, Finding, Findings};
use crate::packages::{Package, Packages, requirements};

/// The models whose code is in the environment, if the one that it is meant for is among them. Else that one, which is then
/// what is missing; where it is meant for none, the usual one.
pub(crate) fn models(environment: &Environment, meant: Option<Model>) -> Vec<Model> {
    let mut finder = Finder::new(environment);
    let mut is_here = |package: &str| matches!(finder.find(package), Found::Here(_));
    let known = [
        (Model::TrellisImageLarge, "trellis"),
        (Model::Trellis2, "trellis2"),
    ];
    let found = known.into_iter().filter(|(_, package)| is_here(package));
    let found: Vec<Model> = found.map(|(model, _)| model).collect();
    match meant.or_else(|| found.first().copied()) {
        Some(meant) if found.contains(&meant) => found,
        meant => vec![meant.unwrap_or(Model::DEFAULT)],
    }
}

/// The packages that the models reach, by their modules' outermost names, and what to say.
pub(crate) fn check(
    environment: &Environment,
    packages: &Packages,
    pins: &Pins,
    models: &[Model],
) -> (BTreeSet<String>, Vec<Finding>) {
    let mut finder = Finder::new(environment);
    let seeds = seeds::seeds(models, |package| matches!(finder.find(package), Found::Here(_)));
    let walk = walk::walk(&mut finder, &seeds);
    let mut findings = Findings::of(Check::Imports);
    let mut of_packages: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    let readable = |module: &&String| !walk.unreadable.contains_key(outermost(module));
    for (module, missing) in walk.missing.iter().filter(|(module, _)| readable(module)) {
        if missing.package_is_here && missing.in_empty_folder.is_none() {
            let modules = of_packages.entry((outermost(module), &missing.by)).or_default();
            modules.push(module.clone());
        } else {
            let (subject, problem) = absent(module, missing, packages, pins);
            findings.say(&subject, &problem);
        }
    }
    for (module, (by, reason)) in &walk.unreadable {
        let (by, reason, install) = (by.clone(), reason.clone(), install(outermost(module), pins));
        findings.say(module, &ImportProblem::Unreadable { by, reason, install });
    }
    for ((package, by), modules) in of_packages {
        findings.say(package, &incomplete(package, by, modules, packages, pins));
    }
    let is_here = |package: &str| {
        let found = walk.packages.contains(package) || matches!(finder.find(package), Found::Here(_));
        found && !walk.unreadable.contains_key(package)
    };
    for needed in libraries::absent(environment, is_here) {
        if needed.package == "nvdiffrast" && libraries::nvdiffrast_compiles(environment) {
            findings.say(needed.package, &ImportProblem::CompilesAtFirstUse);
            continue;
        }
        let problem = ImportProblem::NotCompiled {
            any_of: needed.any_of.iter().map(|stem| (*stem).to_owned()).collect(),
            install: install(needed.package, pins),
        };
        // Its module may be imported by that very name and be missing for the same reason.
        let said = findings.said();
        said.retain(|finding| !needed.any_of.contains(&finding.subject.as_str()));
        findings.say(needed.package, &problem);
    }
    if findings.said().is_empty() {
        let modules = walk.modules;
        findings.say("modules", &ImportProblem::Found { modules });
    }
    (walk.packages, findings.into_vec())
}

/// The subject and the problem of a module whose package is missing, or whose folder is empty.
fn absent(module: &str, missing: &Missing, packages: &Packages, pins: &Pins) -> (String, ImportProblem) {
    let package = outermost(module).to_owned();
    let (by, install) = (missing.by.clone(), install(&package, pins));
    let module = module.to_owned();
    let Some(folder) = &missing.in_empty_folder else {
        let of_model = [("trellis", "TRELLIS"), ("trellis2", "TRELLIS.2")];
        if let Some((folder, name)) = of_model.into_iter().find(|(folder, _)| *folder == package) {
            let repository = repository(folder, pins).unwrap_or_default();
            return (name.to_owned(), ImportProblem::NoTrellis { folder, repository });
        }
        let problem = match recorded(&package, packages) {
            Some(found) => ImportProblem::FilesGone {
                record: found.record(),
                by,
                install,
            },
            // The worker puts its import off until something is drawn with it.
            None if package == "nvdiffrast" => ImportProblem::ForExactOnly { install },
            None => ImportProblem::NotInstalled { by, install },
        };
        return (package, problem);
    };
    (folder.clone(), ImportProblem::SubmoduleEmpty { module, by })
}

/// The problem of a package that is there and lacks modules.
fn incomplete(
    package: &str,
    by: &str,
    modules: Vec<String>,
    packages: &Packages,
    pins: &Pins,
) -> ImportProblem {
    let (by, install, pinned) = (by.to_owned(), install(package, pins), pinned(package, pins));
    let other = recorded(package, packages)
        .filter(|found| pinned.is_some_and(|pinned| !requirements::same(pinned, &found.version)))
        .filter(|_| repository(package, pins).is_some());
    match other {
        Some(found) => ImportProblem::OtherPackage {
            here: format!("{} {}", found.name, found.version),
            modules,
            by,
            install,
        },
        None => ImportProblem::ModuleMissing { modules, by, install },
    }
}

/// The record of a module's package; spconv and cumm have one name for each CUDA release.
fn recorded<'packages>(module: &str, packages: &'packages Packages) -> Option<&'packages Package> {
    let same = packages.get(module).or_else(|| packages.get(published(module)));
    same.or_else(|| {
        let prefix = format!("{module}-cu");
        packages.iter().find(|package| package.name.starts_with(&prefix))
    })
}

fn pinned<'pins>(module: &str, pins: &'pins Pins) -> Option<&'pins str> {
    let name = crate::packages::normalise(published(module));
    let wheel = pins.wheels.get(&name).map(|wheel| wheel.version.as_str());
    wheel.or_else(|| pins.sources.get(&name).map(|source| source.version.as_str()))
}

/// What to install for a module, such as `plyfile 1.1.3`; from its repository where no registry has it.
fn install(module: &str, pins: &Pins) -> String {
    let name = crate::packages::normalise(published(module));
    if let Some(repository) = repository(module, pins) {
        return format!("{name} from {repository}");
    }
    match pinned(module, pins) {
        Some(version) => format!("{name} {version}"),
        None => name,
    }
}

/// Where the source of a package is that is built from it.
fn repository(module: &str, pins: &Pins) -> Option<String> {
    let source = pins.sources.get(&crate::packages::normalise(published(module)))?;
    let revision: String = source.rev.chars().take(12).collect();
    Some(format!(
        "github.com/{}/{} at {revision}",
        source.owner, source.repo
    ))
}
