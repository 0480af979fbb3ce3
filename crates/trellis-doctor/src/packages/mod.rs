//! The packages of an environment, from their metadata files.

mod metadata;
mod requirement;
mod version;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use rayon::iter::{IntoParallelIterator, ParallelIterator};

pub(crate) use metadata::Package;
pub(crate) use requirement::Requirement;
pub(crate) use version::Version;

/// All packages by their normalised names.
#[derive(Debug, Default)]
pub(crate) struct Packages {
    by_name: BTreeMap<String, Package>,
    folders: Vec<PathBuf>,
}

impl Packages {
    /// Reads every `*.dist-info` and `*.egg-info` of the folders; the first of a name wins, as it does for the
    /// interpreter.
    pub(crate) fn read(folders: &[PathBuf]) -> Self {
        let mut by_name = BTreeMap::new();
        for folder in folders {
            let mut infos: Vec<PathBuf> = fs::read_dir(folder)
                .into_iter()
                .flatten()
                .flatten()
                .map(|entry| entry.path())
                .filter(|path| {
                    path.extension()
                        .is_some_and(|extension| extension == "dist-info" || extension == "egg-info")
                })
                .collect();
            infos.sort();
            let read: Vec<Package> = infos
                .into_par_iter()
                .filter_map(|path| Package::read(&path))
                .collect();
            for package in read {
                by_name.entry(package.name.clone()).or_insert(package);
            }
        }
        Self {
            by_name,
            folders: folders.to_vec(),
        }
    }

    /// A package by its name; `_`, `.` and case make no difference.
    pub(crate) fn get(&self, name: &str) -> Option<&Package> {
        self.by_name.get(&metadata::normalise(name))
    }

    /// The version of a package.
    pub(crate) fn version(&self, name: &str) -> Option<&str> {
        self.get(name).map(|package| package.version.as_str())
    }

    /// All, in order of their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Package> {
        self.by_name.values()
    }

    /// The text of a file below a folder of packages, such as `xformers/cpp_lib.json`.
    pub(crate) fn file(&self, name: &str) -> Option<(PathBuf, String)> {
        let mut paths = self.folders.iter().map(|folder| folder.join(name));
        paths.find_map(|path| fs::read_to_string(&path).ok().map(|text| (path, text)))
    }

    /// What torch says of itself, such as `2.9.1+cu128`; else its package's version.
    pub(crate) fn torch(&self) -> Option<String> {
        let said = self
            .file("torch/version.py")
            .and_then(|(_, text)| assigned(&text, "__version__"));
        said.or_else(|| self.version("torch").map(str::to_owned))
    }

    /// The CUDA version that torch was built with, such as `12.8`.
    pub(crate) fn torch_cuda(&self) -> Option<String> {
        let (_, text) = self.file("torch/version.py")?;
        assigned(&text, "cuda")
    }
}

/// The string that a Python module assigns to a name: `name = 'x'` or `name: type = "x"`.
fn assigned(module: &str, name: &str) -> Option<String> {
    module.lines().find_map(|line| {
        let (left, right) = line.split_once('=')?;
        let target = left.split(':').next()?.trim();
        let value = right.trim();
        let text = value.strip_prefix(['\'', '"'])?.strip_suffix(['\'', '"'])?;
        (target == name).then(|| text.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_torch_says_of_itself() {
        let module = "from typing import Optional\n__all__ = ['__version__']\n__version__ = '2.9.1+cu128'\n\
                      debug = False\ncuda: Optional[str] = '12.8'\nhip: Optional[str] = None\n";
        assert_eq!(assigned(module, "__version__").as_deref(), Some("2.9.1+cu128"));
        assert_eq!(assigned(module, "cuda").as_deref(), Some("12.8"));
        assert_eq!(assigned(module, "hip"), None);
    }
}
