//! Where modules lie: Python's search through folders of packages, by file names alone.
//!
//! Folders that `.pth` files add and the finders of editable installs (setuptools) are followed. Modules that
//! a program makes while it runs cannot be seen: below a package that may make some, nothing is missed.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use crate::packages::files::has_extension;

/// More than this of a module is not read; the largest of the pinned set has 1.5 MB.
const MAX_SOURCE_BYTES: u64 = 8 << 20;

/// A module by its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Module {
    /// A folder with `__init__.py`.
    Package(PathBuf),
    /// A folder without one.
    Namespace(PathBuf),
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
    /// The first part that is not there, and what is above it.
    Missing(String, Vec<(String, Module)>),
    /// A part of it is made by a program.
    Unknown(Vec<(String, Module)>),
}

/// The search.
pub(super) struct Finder {
    roots: Vec<PathBuf>,
    /// Of editable installs.
    mapped: HashMap<String, PathBuf>,
    listings: HashMap<PathBuf, BTreeSet<String>>,
}

impl Finder {
    pub(super) fn new(folders: &[PathBuf]) -> Self {
        let (mut roots, mut mapped) = (folders.to_vec(), HashMap::new());
        for folder in folders {
            for name in names(folder) {
                let path = folder.join(&name);
                if has_extension(&name, "pth") {
                    roots.extend(added_folders(folder, &read(&path).unwrap_or_default()));
                } else if name.starts_with("__editable__") && name.ends_with("_finder.py") {
                    mapped.extend(mapping(&read(&path).unwrap_or_default()));
                }
            }
        }
        Self {
            roots,
            mapped,
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
                Some((_, Module::Package(folder) | Module::Namespace(folder))) => {
                    let folder = folder.clone();
                    self.within(&folder, part)
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
                path.is_dir().then_some(Module::Namespace(path))
            };
        }
        let mut namespace = None;
        for root in self.roots.clone() {
            match self.within(&root, name) {
                Some(Module::Namespace(folder)) => namespace = namespace.or(Some(Module::Namespace(folder))),
                Some(module) => return Some(module),
                None => {}
            }
        }
        namespace
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
        below.filter(|path| path.is_dir()).map(Module::Namespace)
    }
}

/// Whether a module's text puts modules where no files are.
fn makes_modules(module: &Module) -> bool {
    let text = module.source().and_then(|path| read(&path));
    text.is_some_and(|text| {
        text.contains("__path__") || text.contains("sys.modules") || text.contains("meta_path")
    })
}

/// The text of a file; `None` if it cannot be read or is no text.
pub(super) fn read(path: &Path) -> Option<String> {
    let length = fs::metadata(path).ok()?.len();
    if length > MAX_SOURCE_BYTES {
        return None;
    }
    Some(String::from_utf8_lossy(&fs::read(path).ok()?).into_owned())
}

fn names(folder: &Path) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned())
}

/// Lines of a `.pth` file that name a folder; those that run code are left alone.
fn added_folders(beside: &Path, text: &str) -> Vec<PathBuf> {
    let lines = text.lines().map(str::trim);
    let folders =
        lines.filter(|line| !line.is_empty() && !line.starts_with('#') && !line.starts_with("import"));
    folders
        .map(|line| beside.join(line))
        .filter(|path| path.is_dir())
        .collect()
}

/// `MAPPING: dict[str, str] = {'trellis': '/src/trellis'}` of a finder that setuptools writes.
fn mapping(text: &str) -> Vec<(String, PathBuf)> {
    let Some(line) = text.lines().find(|line| line.starts_with("MAPPING")) else {
        return Vec::new();
    };
    let Some((_, pairs)) = line.split_once('{') else {
        return Vec::new();
    };
    let quoted: Vec<&str> = pairs.split(['\'', '"']).skip(1).step_by(2).collect();
    quoted
        .chunks_exact(2)
        .map(|pair| (pair[0].to_owned(), PathBuf::from(pair[1])))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn editable_installs_are_followed() {
        let text = "from x import y\nMAPPING: dict[str, str] = {'trellis': '/src/trellis', 'b': '/src/b'}\nNAMESPACES = {}\n";
        assert_eq!(
            mapping(text),
            [
                ("trellis".to_owned(), PathBuf::from("/src/trellis")),
                ("b".to_owned(), PathBuf::from("/src/b"))
            ]
        );
        assert_eq!(mapping("MAPPING"), []);
    }
}
