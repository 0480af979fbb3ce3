//! Finds the parts of a Python environment: a Nix store path, a virtual environment, a conda prefix, a
//! distribution's own Python or a bare `site-packages`.

mod added;
mod interpreter;
mod problem;
mod walk;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::text;

use self::added::Added;

pub use interpreter::environment_of;
pub use problem::EnvironmentError;
pub(crate) use walk::{SharedObject, shared_objects};

/// A version of the interpreter, such as 3.12.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PythonVersion {
    /// 3
    pub major: u32,
    /// 12
    pub minor: u32,
}

impl PythonVersion {
    /// Reads `python3.12` or `3.12.1`.
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix("python").unwrap_or(text).split('.');
        Some(Self {
            major: parts.next()?.parse().ok()?,
            minor: parts.next()?.parse().ok()?,
        })
    }

    /// As in the names of extensions: `cpython-312`.
    pub(crate) fn tag(self) -> String {
        format!("cpython-{}{}", self.major, self.minor)
    }
}

impl std::fmt::Display for PythonVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl Serialize for PythonVersion {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A Python environment.
#[derive(Debug, Clone, Serialize)]
pub struct Environment {
    /// As it was named.
    pub root: PathBuf,
    /// The interpreter's version, where the layout tells it.
    pub python: Option<PythonVersion>,
    /// Folders with packages.
    pub site_packages: Vec<PathBuf>,
    /// The interpreter, where there is one.
    pub interpreter: Option<PathBuf>,
    /// Packages that lie elsewhere.
    #[serde(skip)]
    pub(crate) added: Added,
}

impl Environment {
    /// Looks at a path.
    pub fn discover(root: &Path) -> Result<Self, EnvironmentError> {
        let unreadable = |source| EnvironmentError::Unreadable {
            path: root.to_owned(),
            source,
        };
        fs::read_dir(root).map_err(unreadable)?;
        if let Some(what) = interpreter::gone(root) {
            let path = root.to_owned();
            return Err(EnvironmentError::InterpreterGone { path, what });
        }
        for lib in ["lib", "lib64"].map(|name| root.join(name)) {
            if let Err(error) = fs::read_dir(&lib)
                && error.kind() == io::ErrorKind::PermissionDenied
            {
                let source = error;
                return Err(EnvironmentError::Unreadable { path: lib, source });
            }
        }
        let mut found = Found {
            python: interpreter::version(root),
            ..Found::default()
        };
        found.add(root);
        found.add_base(root);
        if found.site_packages.is_empty()
            && let (Some(interpreter), Some(packages)) = (found.python, found.other)
        {
            return Err(EnvironmentError::OtherPython {
                path: root.to_owned(),
                packages,
                interpreter,
            });
        }
        if found.site_packages.is_empty() && holds_packages(root) {
            found.python = version_above(root);
            found.site_packages.push(root.to_owned());
        }
        if found.site_packages.is_empty() {
            return Err(EnvironmentError::NoPackages {
                path: root.to_owned(),
            });
        }
        for folder in &found.site_packages {
            fs::read_dir(folder).map_err(|source| EnvironmentError::Unreadable {
                path: folder.clone(),
                source,
            })?;
        }
        let interpreter = ["bin/python3", "bin/python"].map(|name| root.join(name));
        Ok(Self {
            root: root.to_owned(),
            python: found.python,
            added: Added::read(&found.site_packages),
            site_packages: found.site_packages,
            interpreter: interpreter.into_iter().find(|path| path.exists()),
        })
    }

    /// All folders of packages, those elsewhere last.
    pub(crate) fn package_folders(&self) -> Vec<PathBuf> {
        let all = self.site_packages.iter().chain(&self.added.folders);
        all.cloned().collect()
    }

    /// Where a path below the packages, such as `kaolin/_C`, may lie.
    pub(crate) fn places(&self, relative: &str) -> Vec<PathBuf> {
        let (first, rest) = relative.split_once('/').unwrap_or((relative, ""));
        let mapped = self.added.mapped.get(first).map(|path| path.join(rest));
        let folders = self.site_packages.iter().chain(&self.added.folders);
        mapped
            .into_iter()
            .chain(folders.map(|folder| folder.join(relative)))
            .collect()
    }

    /// Folders beside the packages where shared libraries of the environment lie.
    pub(crate) fn library_folders(&self) -> Vec<PathBuf> {
        let mut folders = vec![self.root.join("lib"), self.root.join("lib64")];
        let real = self
            .interpreter
            .as_ref()
            .and_then(|path| path.canonicalize().ok());
        if let Some(prefix) = real.as_deref().and_then(Path::parent).and_then(Path::parent) {
            folders.push(prefix.join("lib"));
        }
        folders
    }
}

#[derive(Default)]
struct Found {
    /// The interpreter's, else that of the first folder of packages.
    python: Option<PythonVersion>,
    /// Of folders that belong to another Python than the interpreter.
    other: Option<PythonVersion>,
    site_packages: Vec<PathBuf>,
    seen: BTreeSet<PathBuf>,
}

impl Found {
    /// Adds a prefix and, for a package in the Nix store, what it propagates.
    fn add(&mut self, prefix: &Path) {
        let mut open = vec![prefix.to_owned()];
        while let Some(prefix) = open.pop() {
            if !self.seen.insert(prefix.clone()) {
                continue;
            }
            self.add_prefix(&prefix);
            let propagated = text::small(&prefix.join("nix-support/propagated-build-inputs"));
            open.extend(
                propagated
                    .unwrap_or_default()
                    .split_whitespace()
                    .map(PathBuf::from),
            );
        }
    }

    fn add_prefix(&mut self, prefix: &Path) {
        // Debian keeps what is installed by hand apart.
        for (lib, names) in [
            ("local/lib", &["dist-packages"][..]),
            ("lib", &["site-packages", "dist-packages"]),
            ("lib64", &["site-packages", "dist-packages"]),
        ] {
            let mut pythons = folders(&prefix.join(lib));
            // conda links `python3.1` to `python3.12`, whose own name tells the version. Where nothing tells the
            // interpreter's, the newest counts.
            pythons.sort_by_key(|(name, path)| {
                let version = name.strip_prefix("python").and_then(PythonVersion::parse);
                (path.is_symlink(), std::cmp::Reverse(version))
            });
            for (name, path) in pythons {
                if let Some(version) = name.strip_prefix("python") {
                    self.add_python(PythonVersion::parse(version), &path, names);
                }
            }
        }
    }

    /// Adds the folders of packages of one `lib/python…`, if they are for this interpreter.
    fn add_python(&mut self, version: Option<PythonVersion>, lib: &Path, names: &[&str]) {
        for packages in names.iter().map(|name| lib.join(name)) {
            if !packages.is_dir() || self.holds(&packages) {
                continue;
            }
            // Debian's `python3` is for all.
            if version.is_some() && self.python.is_some() && version != self.python {
                self.other = self.other.or(version);
                continue;
            }
            self.python = self.python.or(version);
            self.site_packages.push(packages);
        }
    }

    /// What a virtual environment sees of the Python that it was made with, if it was made to. Other Pythons
    /// may lie beside that one.
    fn add_base(&mut self, root: &Path) {
        let configured = |key: &str| configuration(root, &[key]);
        let included = configured("include-system-site-packages").is_some_and(|value| value == "true");
        let home = configured("home").map(PathBuf::from);
        let Some(prefix) = home.as_deref().and_then(Path::parent).filter(|_| included) else {
            return;
        };
        let python = self.python.or_else(|| configured_version(root));
        let names = python.map_or_else(Vec::new, |PythonVersion { major, minor }| {
            vec![
                format!("python{major}.{minor}/site-packages"),
                format!("python{major}.{minor}/dist-packages"),
                format!("python{major}/dist-packages"),
            ]
        });
        // Debian keeps what is installed by hand apart.
        for prefix in [prefix.join("local"), prefix.to_owned()] {
            let folders = names.iter().map(|name| prefix.join("lib").join(name));
            for packages in folders.filter(|folder| folder.is_dir()) {
                if !self.holds(&packages) {
                    self.site_packages.push(packages);
                }
            }
        }
    }

    /// `lib64` is often a link to `lib`.
    fn holds(&self, packages: &Path) -> bool {
        let real = packages.canonicalize().ok();
        self.site_packages
            .iter()
            .any(|known| known.canonicalize().ok() == real)
    }
}

/// Folders in a folder, by name, in order.
fn folders(path: &Path) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let mut folders: Vec<_> = entries
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()))
        .filter(|(_, path)| path.is_dir())
        .collect();
    folders.sort();
    folders
}

fn holds_packages(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == "site-packages")
        || folders(path).iter().any(|(name, _)| name.ends_with(".dist-info"))
}

fn version_above(site_packages: &Path) -> Option<PythonVersion> {
    let parent = site_packages.parent()?.file_name()?.to_str()?;
    PythonVersion::parse(parent.strip_prefix("python")?)
}

/// `version = 3.12.1` or `version_info = …` of a virtual environment.
fn configured_version(root: &Path) -> Option<PythonVersion> {
    PythonVersion::parse(&configuration(root, &["version", "version_info"])?)
}

/// The value of the first line of `pyvenv.cfg` with one of the keys.
fn configuration(root: &Path, keys: &[&str]) -> Option<String> {
    let text = text::small(&root.join("pyvenv.cfg")).ok()?;
    text.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        keys.contains(&key.trim()).then(|| value.trim().to_owned())
    })
}
