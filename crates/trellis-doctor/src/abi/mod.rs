//! Will the dynamic linker load every compiled extension?
//!
//! Each strong undefined C++ symbol must be defined by what the library needs (`DT_NEEDED`, all the way
//! down), by what the interpreter loads, or by torch's libraries, which Python packages load first. Symbols
//! of C are judged by their versions only: Python's own come from the interpreter, CUDA's from the driver.

mod cause;
mod numpy;
mod problem;
mod runtimes;

use std::collections::{BTreeMap, BTreeSet};

use rayon::iter::{IntoParallelIterator, IntoParallelRefIterator, ParallelIterator};
use trellis_pins::Pins;

use crate::elf::{Tables, Wanted};
use crate::environment::{Environment, PythonVersion};
use crate::finding::{Check, Finding, Findings, Level};
use crate::library_index::{Id, LibraryIndex};
use crate::packages::Packages;

use self::problem::{AbiProblem, MissingSymbol};

/// Missing symbols shown of one library; a wrong torch can make hundreds.
const MAX_SYMBOLS: usize = 20;

/// Modules that their package does without, as it tries others when they do not load.
const OPTIONAL: [&str; 2] = ["numba/np/ufunc/tbbpool", "numba/np/ufunc/omppool"];

/// Runs the check.
pub(crate) fn check(
    environment: &Environment,
    index: &LibraryIndex,
    packages: &Packages,
    reached: &BTreeSet<String>,
    pins: &Pins,
) -> Vec<Finding> {
    let mut findings = Findings::of(Check::Abi);
    for (name, error) in &index.unreadable {
        let reason = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
        let needed = reached.contains(outermost(name));
        findings.say(name, &AbiProblem::Unreadable { reason, needed });
    }
    let scope = Scope::new(index);
    let inside = (0..index.entries.len()).filter(|id| index.entries[*id].inside);
    let inside: Vec<Id> = inside.collect();
    let broken: Vec<Vec<(Id, AbiProblem)>> = inside
        .par_iter()
        .map(|id| scope.problems(*id, packages, pins))
        .collect();
    let mut plugins: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (id, problem) in broken.into_iter().flatten() {
        let name = &index.entries[id].name;
        match problem {
            AbiProblem::PluginIncomplete { plugins: lines } => {
                plugins.entry(folder_of(name)).or_default().extend(lines);
            }
            problem => findings.say(name, &problem),
        }
    }
    for (folder, plugins) in plugins {
        findings.say(&folder, &AbiProblem::PluginIncomplete { plugins });
    }
    findings.say_each(for_other_numpy(index, &inside, packages, reached));
    findings.say_each(python_tags(environment, index));
    findings.say_all("CUDA", runtimes::check(index, &scope.extensions));
    if findings.said().iter().all(|finding| finding.level == Level::Ok) {
        let libraries = inside.len();
        findings.say("extensions", &AbiProblem::Complete { libraries });
        findings.said().rotate_right(1);
    }
    findings.into_vec()
}

/// Compiled extensions of the environment: Python modules, and what is linked against torch.
pub(crate) fn extensions(index: &LibraryIndex) -> Vec<Id> {
    let with_torch = |need: &String| need.starts_with("libtorch") || need.starts_with("libc10");
    let ids = (0..index.entries.len()).into_par_iter();
    ids.filter(|id| {
        let entry = &index.entries[*id];
        let file = entry.name.rsplit('/').next().unwrap_or_default();
        let module = file.contains(".cpython-") || file.contains(".abi3.") || file == "_C.so";
        entry.inside && (module || entry.library.needed.iter().any(with_torch))
    })
    .collect()
}

struct Scope<'index> {
    index: &'index LibraryIndex,
    tables: Vec<Option<Tables<'index>>>,
    /// Torch's libraries.
    torch: Vec<Id>,
    extensions: Vec<Id>,
    reachable: BTreeSet<Id>,
}

impl<'index> Scope<'index> {
    fn new(index: &'index LibraryIndex) -> Self {
        let ids = (0..index.entries.len()).into_par_iter();
        let tables = ids.map(|id| index.entries[id].library.tables().ok()).collect();
        let is_torch = |id: &Id| index.entries[*id].name.starts_with("torch/lib/");
        let extensions = extensions(index);
        Self {
            index,
            tables,
            torch: (0..index.entries.len()).filter(is_torch).collect(),
            reachable: index.reachable(&extensions),
            extensions,
        }
    }

    fn problems(&self, id: Id, packages: &Packages, pins: &Pins) -> Vec<(Id, AbiProblem)> {
        let entry = &self.index.entries[id];
        let mut problems = Vec::new();
        if !entry.missing.is_empty() {
            let libraries = entry.missing.clone();
            let optional = OPTIONAL.iter().any(|module| entry.name.starts_with(module));
            problems.push(if self.reachable.contains(&id) && !optional {
                AbiProblem::MissingLibrary { libraries }
            } else {
                let plugins = vec![format!("{}: {}", entry.name, libraries.join(", "))];
                AbiProblem::PluginIncomplete { plugins }
            });
        }
        problems.extend(self.versions(id));
        let symbols = self.missing_symbols(id);
        if !symbols.is_empty() {
            let cause = cause::find(&entry.name, &symbols, packages, pins);
            problems.push(AbiProblem::MissingSymbols { symbols, cause });
        }
        problems.into_iter().map(|problem| (id, problem)).collect()
    }

    /// Symbol versions that a needed library lacks. Only the highest of a family is told: the others lack, too.
    fn versions(&self, id: Id) -> Vec<AbiProblem> {
        let entry = &self.index.entries[id];
        let mut worst: BTreeMap<(&str, &str), &str> = BTreeMap::new();
        for need in entry.library.needs.iter().filter(|need| !need.weak) {
            let provider = entry.needed.iter().map(|id| &self.index.entries[*id].library);
            let Some(provider) = provider.into_iter().find(|library| library.name() == need.file) else {
                continue;
            };
            if provider.defines.is_empty() || provider.defines.contains(&need.version) {
                continue;
            }
            let family = need.version.split('_').next().unwrap_or_default();
            let highest = worst.entry((&need.file, family)).or_insert(&need.version);
            if version_key(&need.version) > version_key(highest) {
                *highest = &need.version;
            }
        }
        let newest = |file: &str, family: &str| {
            let ids = entry.needed.iter().map(|id| &self.index.entries[*id].library);
            let provider = ids.into_iter().find(|library| library.name() == file)?;
            let same = provider
                .defines
                .iter()
                .filter(|version| version.split('_').next() == Some(family));
            same.max_by_key(|version| version_key(version)).cloned()
        };
        let problems = worst
            .into_iter()
            .map(|((file, family), version)| AbiProblem::VersionMissing {
                library: file.to_owned(),
                version: version.to_owned(),
                newest: newest(file, family),
            });
        problems.collect()
    }

    fn missing_symbols(&self, id: Id) -> Vec<MissingSymbol> {
        let Some(own) = &self.tables[id] else {
            return Vec::new();
        };
        let closure = self.index.closure(id);
        // What is missing may be in a library that is missing, and that is told already.
        if closure
            .iter()
            .any(|id| !self.index.entries[*id].missing.is_empty())
        {
            return Vec::new();
        }
        let scope: Vec<&Tables<'_>> = closure
            .iter()
            .chain(&self.index.process)
            .chain(&self.torch)
            .filter_map(|id| self.tables[*id].as_ref())
            .collect();
        let missing = own.wanted().filter(|wanted| is_judged(wanted));
        let mut missing: Vec<MissingSymbol> = missing
            .filter(|wanted| !scope.iter().any(|tables| tables.defines(wanted)))
            .take(MAX_SYMBOLS)
            .map(|wanted| symbol(wanted.name))
            .collect();
        missing.sort();
        missing
    }
}

/// The first two parts of a library's name, such as `nvidia/nvshmem`.
fn folder_of(name: &str) -> String {
    name.split('/').take(2).collect::<Vec<_>>().join("/")
}

fn is_judged(wanted: &Wanted<'_>) -> bool {
    !wanted.weak && wanted.name.starts_with(b"_Z")
}

fn symbol(mangled: &[u8]) -> MissingSymbol {
    let text = String::from_utf8_lossy(mangled).into_owned();
    let demangled = cpp_demangle::Symbol::new(mangled)
        .ok()
        .and_then(|symbol| symbol.demangle().ok());
    MissingSymbol {
        demangled: demangled.unwrap_or_else(|| text.clone()),
        mangled: text,
    }
}

/// `GLIBC_2.38` → [2, 38], so that 2.4 comes before 2.38.
fn version_key(version: &str) -> Vec<u64> {
    let numbers = version
        .split(|c: char| !c.is_ascii_digit())
        .filter(|part| !part.is_empty());
    numbers.map(|part| part.parse().unwrap_or(u64::MAX)).collect()
}

/// Packages with extensions for NumPy 1 beside NumPy 2.
fn for_other_numpy(
    index: &LibraryIndex,
    inside: &[Id],
    packages: &Packages,
    reached: &BTreeSet<String>,
) -> Vec<(String, AbiProblem)> {
    let here = packages.version("numpy").unwrap_or_default();
    let major: Option<u32> = here.split('.').next().and_then(|major| major.parse().ok());
    if major.is_none_or(|major| major < 2) {
        return Vec::new();
    }
    let old = inside
        .par_iter()
        .filter(|id| numpy::for_numpy_1(&index.entries[**id].library));
    let old: Vec<&Id> = old.collect();
    let mut by_package: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for id in old {
        let name = &index.entries[*id].name;
        by_package.entry(outermost(name)).or_default().push(name.clone());
    }
    let told = by_package.into_iter().map(|(package, libraries)| {
        let problem = AbiProblem::OtherNumpy {
            here: here.to_owned(),
            needed: reached.contains(package),
            libraries,
        };
        (package.to_owned(), problem)
    });
    told.collect()
}

/// The outermost module of a library: `x` of `x/_C.so` and of `x.abi3.so`.
fn outermost(name: &str) -> &str {
    name.split(['/', '.']).next().unwrap_or(name)
}

/// Extensions for other Pythons that have no sibling for this one.
fn python_tags(environment: &Environment, index: &LibraryIndex) -> Vec<(String, AbiProblem)> {
    let Some(here) = environment.python.map(PythonVersion::tag) else {
        return Vec::new();
    };
    let mut modules: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for entry in index.entries.iter().filter(|entry| entry.inside) {
        let Some((stem, behind)) = entry.name.split_once(".cpython-") else {
            continue;
        };
        // Without the `m` of Pythons before 3.8, but with the `t` of those without a global lock.
        let tag = behind.split(['-', '.']).next().unwrap_or(behind);
        modules.entry(stem).or_default().insert(tag.trim_end_matches('m'));
    }
    let tag = |tag: &&str| format!("cpython-{tag}");
    let foreign = modules
        .into_iter()
        .filter(|(_, tags)| !tags.iter().map(tag).any(|tag| tag == here));
    foreign
        .map(|(stem, tags)| {
            let built = tags.iter().map(tag).collect::<Vec<_>>().join(", ");
            (
                stem.to_owned(),
                AbiProblem::PythonTag {
                    built,
                    here: here.clone(),
                },
            )
        })
        .collect()
}
