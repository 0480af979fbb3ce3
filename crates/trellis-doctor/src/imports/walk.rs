//! Follows imports from TRELLIS's own modules through all packages, as far as they run unconditionally.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::io;

use super::finder::{Finder, Found, Module, read};
use super::standard::is_standard;
use super::statements::{Import, imports};

/// More modules than any environment imports at start-up; a walk in a crafted one ends here.
const MAX_MODULES: usize = 50_000;

/// What the walk saw.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    /// Modules that were found by their files.
    pub(crate) modules: usize,
    /// The outermost packages that are imported.
    pub(crate) packages: BTreeSet<String>,
    /// Modules that are not there, each with who imports it first and whether its package is there.
    pub(crate) missing: BTreeMap<String, Missing>,
    /// Modules whose file no interpreter could read, each with who imports it first and why.
    pub(crate) unreadable: BTreeMap<String, (String, String)>,
}

/// A missing module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Missing {
    /// The module that imports it.
    pub(crate) by: String,
    /// Its outermost package is there.
    pub(crate) package_is_here: bool,
    /// The folder above it holds nothing.
    pub(crate) in_empty_folder: Option<String>,
}

/// Walks from the seeds, each a module with who imports it.
pub(super) fn walk(finder: &mut Finder, seeds: &[(&str, &str)]) -> Walk {
    let mut walk = Walk::default();
    let mut seen = HashSet::new();
    let mut open: VecDeque<(String, String)> = seeds
        .iter()
        .map(|(module, by)| ((*module).to_owned(), (*by).to_owned()))
        .collect();
    while let Some((dotted, by)) = open.pop_front() {
        let first = dotted.split('.').next().unwrap_or_default().to_owned();
        if walk.modules >= MAX_MODULES || is_standard(&first) {
            continue;
        }
        let there = match finder.find(&dotted) {
            Found::Here(there) | Found::Unknown(there) => there,
            Found::Missing(name, there) => {
                let empty = there.last().and_then(|(name, module)| match module {
                    Module::Namespace(folders)
                        if folders.iter().all(|folder| {
                            folder
                                .read_dir()
                                .is_ok_and(|mut entries| entries.next().is_none())
                        }) =>
                    {
                        Some(name.clone())
                    }
                    _ => None,
                });
                walk.missing.entry(name).or_insert(Missing {
                    by: by.clone(),
                    package_is_here: !there.is_empty(),
                    in_empty_folder: empty,
                });
                there
            }
        };
        if !there.is_empty() {
            walk.packages.insert(first);
        }
        for (name, module) in there {
            if !seen.insert(name.clone()) {
                continue;
            }
            walk.modules += 1;
            let source = match source(&module) {
                Ok(source) => source,
                Err(reason) => {
                    walk.unreadable.insert(name, (by.clone(), reason));
                    continue;
                }
            };
            for import in imports(&source) {
                open.extend(targets(&import, &name, &module, finder).map(|target| (target, name.clone())));
            }
        }
    }
    walk
}

/// The text of a module, or why Python could not compile it.
fn source(module: &Module) -> Result<String, String> {
    if let Module::Namespace(folders) = module {
        // One that may not be listed looks like one without `__init__.py`.
        for folder in folders {
            folder.read_dir().map_err(|error| error.to_string())?;
        }
    }
    let Some(path) = module.source() else {
        return Ok(String::new());
    };
    let text = read(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => "it is a broken link".to_owned(),
        _ => error.to_string(),
    })?;
    if text.contains('\0') {
        return Err("it contains zero bytes, as a file that was never fully written".to_owned());
    }
    Ok(text)
}

/// The modules that an import statement of a module asks for.
fn targets(
    import: &Import,
    name: &str,
    module: &Module,
    finder: &mut Finder,
) -> impl Iterator<Item = String> {
    let base = base(import, name, module);
    let mut targets = Vec::new();
    if let Some(base) = base {
        // What is taken from a package may be a module below it, or any other name.
        let is_package = matches!(
            finder.find(&base), Found::Here(there) if there.last().is_some_and(|(_, module)| module.is_package())
        );
        for taken in import.names.iter().filter(|taken| is_package && *taken != "*") {
            let below = format!("{base}.{taken}");
            if matches!(finder.find(&below), Found::Here(_)) {
                targets.push(below);
            }
        }
        targets.push(base);
    }
    targets.into_iter()
}

/// The absolute name of the module that a statement names.
fn base(import: &Import, name: &str, module: &Module) -> Option<String> {
    if import.level == 0 {
        return Some(import.module.clone());
    }
    let mut parts: Vec<&str> = name.split('.').collect();
    let up = if module.is_package() {
        import.level - 1
    } else {
        import.level
    };
    parts.truncate(parts.len().checked_sub(up)?);
    if !import.module.is_empty() {
        parts.push(&import.module);
    }
    (!parts.is_empty()).then(|| parts.join("."))
}
