//! All libraries of an environment and those they need, resolved as the dynamic linker would.
//!
//! Where a name is searched: what the interpreter has loaded already; the library's own search path; any
//! library of the environment with that name (Python packages load their parts before what needs them, so
//! the linker finds them by name); the given folders. The linker's cache (`ld.so.cache`) is not read: on
//! distributions it lists the folders given here.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::path::{Path, PathBuf};

use rayon::iter::{IntoParallelIterator, IntoParallelRefIterator, ParallelIterator};

use crate::elf::{ElfError, Library};
use crate::environment::{Environment, SharedObject, shared_objects};

/// A position in the index.
pub(crate) type Id = usize;

/// Libraries that come with the driver, not with an environment.
const DRIVER_LIBRARIES: [&str; 5] = [
    "libcuda.so.1",
    "libnvidia-ml.so.1",
    "libnvcuvid.so.1",
    "libnvidia-encode.so.1",
    "libcuda.so",
];

/// A library with its place in the environment and what its needs resolve to.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Below the folder of packages; the whole path for libraries of elsewhere.
    pub(crate) name: String,
    /// The file.
    pub(crate) library: Library,
    /// From the environment's packages.
    pub(crate) inside: bool,
    /// What `DT_NEEDED` resolves to, in order.
    pub(crate) needed: Vec<Id>,
    /// What it does not resolve to; libraries of the driver are left out.
    pub(crate) missing: Vec<String>,
}

/// All libraries.
#[derive(Debug, Default)]
pub(crate) struct LibraryIndex {
    pub(crate) entries: Vec<Entry>,
    /// Files that look like libraries and cannot be read.
    pub(crate) unreadable: Vec<(String, ElfError)>,
    /// What the interpreter itself loads.
    pub(crate) process: Vec<Id>,
    by_path: HashMap<PathBuf, Id>,
    by_name: HashMap<String, Vec<Id>>,
}

impl LibraryIndex {
    /// Opens everything. `outside` are folders to search last, such as `/usr/lib/x86_64-linux-gnu`.
    pub(crate) fn fill(environment: &Environment, outside: &[PathBuf]) -> Self {
        let mut index = Self::default();
        let mut outside = outside.to_vec();
        outside.splice(0..0, environment.library_folders());
        index.add_interpreter(environment, &outside);
        let found = shared_objects(environment);
        let opened: Vec<_> = found
            .into_par_iter()
            .map(|object| (open(&object), object))
            .collect();
        for (library, object) in opened {
            match library {
                Ok(library) => {
                    index.put(object.name, library, true);
                }
                Err(error) => index.unreadable.push((object.name, error)),
            }
        }
        index.resolve_from(0, &outside);
        index
    }

    /// The library and all it needs, breadth first as the linker searches.
    pub(crate) fn closure(&self, id: Id) -> Vec<Id> {
        let (mut order, mut seen) = (Vec::new(), BTreeSet::from([id]));
        let mut open = VecDeque::from([id]);
        while let Some(id) = open.pop_front() {
            order.push(id);
            open.extend(self.entries[id].needed.iter().filter(|next| seen.insert(**next)));
        }
        order
    }

    fn add_interpreter(&mut self, environment: &Environment, outside: &[PathBuf]) {
        let Some(path) = &environment.interpreter else {
            return;
        };
        // A wrapper script instead of a program is no error: then only what the environment holds counts.
        let Ok(library) = path
            .canonicalize()
            .map_err(|_| ())
            .and_then(|path| Library::open(&path).map_err(|_| ()))
        else {
            return;
        };
        // The C library lies beside the dynamic linker.
        let mut folders: Vec<PathBuf> = library
            .interpreter
            .iter()
            .filter_map(|path| parent(path))
            .collect();
        folders.extend_from_slice(outside);
        let name = path.display().to_string();
        let id = self.put(name, library, false);
        self.resolve_from(id, &folders);
        self.process = self.closure(id);
    }

    fn put(&mut self, name: String, library: Library, inside: bool) -> Id {
        let real = library
            .path
            .canonicalize()
            .unwrap_or_else(|_| library.path.clone());
        if let Some(known) = self.by_path.get(&real).filter(|_| !inside) {
            return *known;
        }
        let id = self.entries.len();
        let file_name = library
            .path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        let names: BTreeSet<String> = [Some(library.name().to_owned()), file_name]
            .into_iter()
            .flatten()
            .collect();
        for alias in names {
            self.by_name.entry(alias).or_default().push(id);
        }
        self.by_path.entry(real).or_insert(id);
        self.entries.push(Entry {
            name,
            library,
            inside,
            needed: Vec::new(),
            missing: Vec::new(),
        });
        id
    }

    /// Resolves all needs from an id on; what is found on the way is added to the index and resolved, too.
    fn resolve_from(&mut self, first: Id, outside: &[PathBuf]) {
        let mut id = first;
        while id < self.entries.len() {
            for need in self.entries[id].library.needed.clone() {
                if let Some(found) = self.find(&need, id, outside) {
                    self.entries[id].needed.push(found);
                } else if !DRIVER_LIBRARIES.contains(&need.as_str()) {
                    self.entries[id].missing.push(need);
                }
            }
            id += 1;
        }
    }

    fn find(&mut self, need: &str, from: Id, outside: &[PathBuf]) -> Option<Id> {
        let loaded = self
            .process
            .iter()
            .find(|id| self.entries[**id].library.name() == need);
        if let Some(id) = loaded {
            return Some(*id);
        }
        if need.contains('/') {
            return self.open_at(Path::new(need), from);
        }
        for folder in own_folders(&self.entries[from].library) {
            if let Some(id) = self.open_at(&folder.join(need), from) {
                return Some(id);
            }
        }
        let machine = self.entries[from].library.machine;
        let same = |id: &&Id| self.entries[**id].library.machine == machine;
        if let Some(id) = self.by_name.get(need).and_then(|ids| ids.iter().find(same)) {
            return Some(*id);
        }
        outside
            .iter()
            .find_map(|folder| self.open_at(&folder.join(need), from))
    }

    fn open_at(&mut self, path: &Path, from: Id) -> Option<Id> {
        let real = path.canonicalize().ok()?;
        if let Some(id) = self.by_path.get(&real) {
            return Some(*id);
        }
        let library = Library::open(path).ok()?;
        (library.machine == self.entries[from].library.machine)
            .then(|| self.put(path.display().to_string(), library, false))
    }

    /// Libraries that a compiled extension reaches, by `DT_NEEDED`.
    pub(crate) fn reachable(&self, roots: &[Id]) -> BTreeSet<Id> {
        let closures: Vec<Vec<Id>> = roots.par_iter().map(|id| self.closure(*id)).collect();
        closures.into_iter().flatten().collect()
    }
}

fn open(object: &SharedObject) -> Result<Library, ElfError> {
    Library::open(&object.path)
}

fn parent(path: &Path) -> Option<PathBuf> {
    path.parent().map(Path::to_owned)
}

/// The search path of a library, `$ORIGIN` replaced: by the folder of the link and by that of the file.
fn own_folders(library: &Library) -> Vec<PathBuf> {
    let real = library.path.canonicalize().ok();
    let origins: Vec<PathBuf> = [Some(library.path.as_path()), real.as_deref()]
        .into_iter()
        .flatten()
        .filter_map(parent)
        .collect();
    let mut folders = Vec::new();
    for entry in library.search.iter().filter(|entry| !entry.is_empty()) {
        for origin in &origins {
            let origin = origin.to_string_lossy();
            let folder = entry.replace("${ORIGIN}", &origin).replace("$ORIGIN", &origin);
            folders.push(PathBuf::from(folder));
        }
    }
    folders.dedup();
    folders
}
