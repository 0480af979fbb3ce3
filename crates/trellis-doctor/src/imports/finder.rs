//! Where modules lie: Python's search through folders of packages, by file names alone.
//!
//! Packages that lie elsewhere (editable installs, egg folders) are found as the environment knows them. Modules
//! that a program makes while it runs cannot be seen: below a package that may make some, nothing is missed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::environment::Environment;
use crate::packages::files::has_extension;
use crate::text;

/// More than this of a module is not read; the largest of the pinned set has 1.5 MB.
const MAX_SOURCE_BYTES: u64 = 8 << 20;

/// A module by its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Module {
    /// A folder with `__init__.py`.
    Package(PathBuf),
    /// Folders without one; each may hold a part.
    Namespace(Vec<PathBuf>),
    /// A Python file.
    Source(PathBuf),
    /// Compiled: what it holds is not known.
    Compiled,
}

impl Module {
    /// The file to read for its imports.
    pub(super) fn source(&self) -> Option<PathBuf> {
        match self {
            Self::Package(folder) => Some(folder.join("__init__.py")),
            Self::Source(file) => Some(file.clone()),
            Self::Namespace(_) | Self::Compiled => None,
        }
    }

    /// Whether modules lie below it by their files.
    pub(super) fn is_package(&self) -> bool {
        matches!(self, Self::Package(_) | Self::Namespace(_))
    }
}

/// What a dotted name leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// It is there, with all packages above it, outermost first.
    Here(Vec<(String, Module)>),
    /// The first part that is missing, and what is above it.
    Missing(String, Vec<(String, Module)>),
    /// A part of it is made by a program.
    Unknown(Vec<(String, Module)>),
}

/// The search.
pub(super) struct Finder {
    roots: Vec<PathBuf>,
    /// Of editable installs.
    mapped: BTreeMap<String, PathBuf>,
    listings: HashMap<PathBuf, BTreeSet<String>>,
}

impl Finder {
    pub(super) fn new(environment: &Environment) -> Self {
        Self {
            roots: environment.package_folders(),
            mapped: environment.added.mapped.clone(),
            listings: HashMap::new(),
        }
    }

    /// Follows a dotted name.
    pub(super) fn find(&mut self, dotted: &str) -> Found {
        let mut above: Vec<(String, Module)> = Vec::new();
        for part in dotted.split('.') {
            let name = match above.last() {
                Some((parent, _)) => format!("{parent}.{part}"),
                None => part.to_owned(),
            };
            let module = match above.last() {
                None => self.top(part),
                Some((_, Module::Package(folder))) => {
                    let folder = folder.clone();
                    self.within(&folder, part)
                }
                Some((_, Module::Namespace(folders))) => {
                    let folders = folders.clone();
                    self.among(&folders, part)
                }
                Some(_) => return Found::Unknown(above),
            };
            match module {
                Some(module) => above.push((name, module)),
                None if above.iter().any(|(_, module)| makes_modules(module)) => {
                    return Found::Unknown(above);
                }
                None => return Found::Missing(name, above),
            }
        }
        Found::Here(above)
    }

    fn top(&mut self, name: &str) -> Option<Module> {
        if let Some(path) = self.mapped.get(name).cloned() {
            let file = path.with_extension("py");
            return if path.join("__init__.py").is_file() {
                Some(Module::Package(path))
            } else if file.is_file() {
                Some(Module::Source(file))
            } else {
                path.is_dir().then(|| Module::Namespace(vec![path]))
            };
        }
        let roots = self.roots.clone();
        self.among(&roots, name)
    }

    /// The first module in the folders; where there is none, the bare folders of that name together.
    fn among(&mut self, folders: &[PathBuf], name: &str) -> Option<Module> {
        let mut parts = Vec::new();
        for folder in folders {
            match self.within(folder, name) {
                Some(Module::Namespace(found)) => parts.extend(found),
                Some(module) => return Some(module),
                None => {}
            }
        }
        (!parts.is_empty()).then_some(Module::Namespace(parts))
    }

    /// In the order of Python: a package, a compiled module, a source file, a bare folder.
    fn within(&mut self, folder: &Path, name: &str) -> Option<Module> {
        let listing = self
            .listings
            .entry(folder.to_owned())
            .or_insert_with(|| names(folder).collect());
        let below = listing.contains(name).then(|| folder.join(name));
        let source = format!("{name}.py");
        let has_source = listing.contains(&source);
        let dotted = format!("{name}.");
        let mut starting = listing
            .range(dotted.clone()..)
            .take_while(|file| file.starts_with(&dotted));
        let compiled = starting.any(|file| has_extension(file, "so") || *file == format!("{name}.pyc"));
        if let Some(below) = &below {
            let inside = self
                .listings
                .entry(below.clone())
                .or_insert_with(|| names(below).collect());
            if inside.contains("__init__.py") {
                return Some(Module::Package(below.clone()));
            }
            if inside
                .iter()
                .any(|file| file.starts_with("__init__.") && !has_extension(file, "pyi"))
            {
                return Some(Module::Compiled);
            }
        }
        if compiled {
            return Some(Module::Compiled);
        }
        if has_source {
            return Some(Module::Source(folder.join(source)));
        }
        below
            .filter(|path| path.is_dir())
            .map(|path| Module::Namespace(vec![path]))
    }
}

/// Whether a module's text puts modules where no files are.
fn makes_modules(module: &Module) -> bool {
    let text = module.source().and_then(|path| read(&path).ok());
    text.is_some_and(|text| {
        text.contains("__path__") || text.contains("sys.modules") || text.contains("meta_path")
    })
}

/// The text of a module. One that is too long to be read for its imports is as good as empty.
pub(super) fn read(path: &Path) -> io::Result<String> {
    if fs::metadata(path)?.len() > MAX_SOURCE_BYTES {
        return Ok(String::new());
    }
    text::text(path, MAX_SOURCE_BYTES)
}

fn names(folder: &Path) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned())
}
