//! Finds the parts of a Python environment: a Nix store path, a virtual environment, a conda prefix, a
//! distribution's own Python or a bare `site-packages`.

mod interpreter;
mod walk;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::finding::{Diagnosis, Level};

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

/// Why a path is no environment.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// Nothing is there, or it may not be read.
    #[error("cannot read the environment {}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A virtual environment whose Python was removed or moved: nothing else of it matters.
    #[error("the interpreter of {} is gone: {what}", path.display())]
    InterpreterGone {
        /// The environment.
        path: PathBuf,
        /// What leads nowhere.
        what: String,
    },
    /// A variable names an interpreter that is not there.
    #[error("`{variable}` names `{}`, which {reason}", path.display())]
    NoInterpreter {
        /// The variable.
        variable: &'static str,
        /// Its value.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A variable names an environment that is not there.
    #[error("`{variable}` names `{}`, which cannot be read", path.display())]
    NamedUnreadable {
        /// The variable.
        variable: &'static str,
        /// Its value.
        path: PathBuf,
    },
    /// A folder without packages.
    #[error("{} holds no Python packages", path.display())]
    NoPackages {
        /// Which.
        path: PathBuf,
    },
}

impl EnvironmentError {
    /// What to do, one sentence.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::InterpreterGone { .. } => {
                "install that Python again, or make the environment again with one that is here"
            }
            Self::NoInterpreter { .. } => {
                "name the `bin/python3` of the environment that has TRELLIS, or unset the variable"
            }
            Self::NamedUnreadable { .. } => "name an environment that is there, or unset the variable",
            Self::Unreadable { .. } => "name a folder that exists and that you may read",
            Self::NoPackages { .. } => {
                "name a virtual environment, a conda prefix, a Nix store path or a `site-packages` folder"
            }
        }
    }
}

impl Diagnosis for EnvironmentError {
    fn kind(&self) -> &'static str {
        match self {
            Self::InterpreterGone { .. } => "interpreter_gone",
            Self::NoInterpreter { .. } => "interpreter_missing",
            Self::Unreadable { .. } | Self::NamedUnreadable { .. } => "environment_unreadable",
            Self::NoPackages { .. } => "no_packages",
        }
    }

    fn level(&self) -> Level {
        Level::Error
    }

    fn advice(&self) -> String {
        self.advice().to_owned()
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
        let mut found = Found::default();
        found.add(root);
        found.add_base(root);
        if found.site_packages.is_empty() && holds_packages(root) {
            found.python = version_above(root);
            found.site_packages.push(root.to_owned());
        }
        if found.site_packages.is_empty() {
            return Err(EnvironmentError::NoPackages {
                path: root.to_owned(),
            });
        }
        let interpreter = ["bin/python3", "bin/python"].map(|name| root.join(name));
        Ok(Self {
            root: root.to_owned(),
            python: found.python.or_else(|| configured_version(root)),
            site_packages: found.site_packages,
            interpreter: interpreter.into_iter().find(|path| path.exists()),
        })
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
    python: Option<PythonVersion>,
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
            let propagated = fs::read_to_string(prefix.join("nix-support/propagated-build-inputs"));
            open.extend(
                propagated
                    .unwrap_or_default()
                    .split_whitespace()
                    .map(PathBuf::from),
            );
        }
    }

    fn add_prefix(&mut self, prefix: &Path) {
        for lib in ["lib", "lib64"] {
            for (name, path) in folders(&prefix.join(lib)) {
                let Some(version) = name.strip_prefix("python") else {
                    continue;
                };
                for packages in ["site-packages", "dist-packages"].map(|name| path.join(name)) {
                    if packages.is_dir() && !self.holds(&packages) {
                        self.python = self.python.or_else(|| PythonVersion::parse(version));
                        self.site_packages.push(packages);
                    }
                }
            }
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
    let text = fs::read_to_string(root.join("pyvenv.cfg")).ok()?;
    text.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        keys.contains(&key.trim()).then(|| value.trim().to_owned())
    })
}
